// Why an upload was refused, as a sentence. The origin names the limit; these are for the rest.

const BY_STATUS = {
  0: "The connection broke. What arrived is kept: try again and it goes on from there.",
  403: "This upload is not allowed from here.",
  404: "This upload is too old to go on. Try again to send it from the start.",
  409: "Another window is sending this video at the moment.",
  410: "This upload is too old to go on. Try again to send it from the start.",
  413: "This video is larger than what we can take.",
  415: "This does not look like a video that we can take.",
  429: "There are too many uploads from here at the moment. Please wait for one to finish.",
  460: "A piece was damaged on the way. Try again and it is sent anew.",
  507: "There is no room for more videos at the moment. Please try again later.",
};

/** The sentence that the origin wrote into an error body, if it wrote one. */
function sentenceIn(body) {
  try {
    const said = JSON.parse(body);
    return said.detail ?? said.error?.message ?? said.error ?? said.message ?? said.title ?? "";
  } catch {
    return /^[A-Z][^<>{}]{8,300}$/s.test(body.trim()) ? body.trim() : "";
  }
}

export function sentenceForUploadError(error) {
  const response = error.originalResponse;
  const status = response?.getStatus() ?? 0;
  const said = sentenceIn(response?.getBody() ?? "");
  if (typeof said === "string" && said) return said;
  if (BY_STATUS[status]) return BY_STATUS[status];
  return status >= 500
    ? "Our side has a problem at the moment. What arrived is kept: please try again soon."
    : `The upload was refused (${status}). Please try again.`;
}
