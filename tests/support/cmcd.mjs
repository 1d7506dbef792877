// Encodes and decodes CMCD with the reference library: one JSON question a line, one answer a line.

import { createInterface } from "node:readline";
import { decodeCmcd, encodeCmcd, toCmcdHeaders } from "@svta/cml-cmcd";

const answers = {
  encode: ({ data, version }) => encodeCmcd(data, { version }),
  headers: ({ data, version }) => toCmcdHeaders(data, { version }),
  decode: ({ text }) => decodeCmcd(text),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(answers[question.ask](question)));
}
