import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { usage } from "../../errors.ts";

/** A host name as DNS has it: `Bücher.example` is `xn--bcher-kva.example`. */
export function asciiHost(field: string, given = ""): string {
  const wildcard = given.startsWith("*.") ? "*." : "";
  const ascii = domainToASCII(given.slice(wildcard.length)).replace(/\.$/, "");
  if (ascii === "") throw usage(`${field}: ${JSON.stringify(given.slice(0, 80))} is not a host name`);
  if (isIP(ascii.replace(/^\[(.*)\]$/, "$1")) !== 0)
    throw usage(`${field}: ${given.slice(0, 80)} is an address`, "a certificate is for host names");
  return `${wildcard}${ascii}`;
}
