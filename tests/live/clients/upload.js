// Upload a file with the unmodified tus-js-client: node upload.js ENDPOINT FILE STATE CHUNK_BYTES
// STATE keeps the upload's URL, as a browser's localStorage would, so that a second run resumes.
const fs = require("node:fs");
const path = require("node:path");
const modules = path.join(__dirname, "..", "..", "node_modules");
const tus = require(path.join(modules, "tus-js-client"));

const [endpoint, file, state, chunk] = process.argv.slice(2);
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  chunkSize: Number(chunk),
  retryDelays: [0, 100, 300, 500, ...Array(120).fill(1000)],
  metadata: { filename: path.basename(file), title: "From tus-js-client" },
  urlStorage: new tus.FileUrlStorage(state),
  storeFingerprintForResuming: true,
  onProgress: (sent, total) => say({ sent, total }),
  onChunkComplete: (size, accepted) => say({ accepted }),
  onError: (error) => { say({ error: String(error) }); process.exit(1); },
  onSuccess: () => { say({ done: upload.url }); },
});

upload.findPreviousUploads().then((previous) => {
  if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
  say({ resuming: previous.length > 0 });
  upload.start();
});
