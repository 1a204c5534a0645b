/**
 * Words for execlineb(1). Everything but plain characters is written as `\0xHH` within quotes, so that no byte of the
 * operator's can be syntax. Text is encoded as UTF-8; a NUL cannot be in an argument and is refused.
 */
export function word(text: string): string {
  if (text.includes("\0")) throw new Error("an argument cannot hold a NUL");
  if (/^[A-Za-z0-9_./:,=+@%^-]+$/.test(text)) return text;
  let quoted = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const char = String.fromCharCode(byte);
    quoted += /[A-Za-z0-9_./:,=+@%^ -]/.test(char) ? char : `\\0x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${quoted}"`;
}

export function words(argv: readonly string[]): string {
  return argv.map(word).join(" ");
}

/** `if { … }`: goes on only when the program succeeds. */
export function must(argv: readonly string[]): string {
  return `if { ${words(argv)} }`;
}

/** Writes text to a file as one write(2), as procfs and cgroupfs want it. */
export function put(path: string, text: string): string {
  return `if { redirfd -w 1 ${words([path])} printf "%s" ${text} }`;
}
