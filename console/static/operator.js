// The operator's token: from the address, once, or from a form; kept for this tab only.

const KEPT = "amaro.token";

/** The token of the address (which loses it) or of this tab; "" when there is none. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  let token = given ?? "";
  try {
    if (given) sessionStorage.setItem(KEPT, given);
    token = given ?? sessionStorage.getItem(KEPT) ?? "";
  } catch {
    // storage is off: the token lasts as long as the page
  }
  if (given) history.replaceState(null, "", location.pathname + location.search); // not for others to see
  return token;
}

export function keepToken(value) {
  try {
    sessionStorage.setItem(KEPT, value);
  } catch {
    // storage is off: the token lasts as long as the page
  }
}
