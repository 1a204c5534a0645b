/** A command line in words, by the rules of a POSIX shell for quotes and backslashes; nothing is expanded. Undefined: a quote is open. */
export function shellWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    if (quote === "'") {
      if (char === "'") quote = undefined;
      else word += char;
    } else if (char === "\\" && (quote === undefined || /["\\$`\n]/.test(line[at + 1] ?? ""))) {
      word = (word ?? "") + (line[++at] ?? "");
    } else if (char === quote) quote = undefined;
    else if (quote === undefined && (char === '"' || char === "'")) {
      quote = char;
      word ??= "";
    } else if (quote === undefined && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + char;
  }
  if (quote !== undefined) return undefined;
  return word === undefined ? words : [...words, word];
}

/** A value of YAML as it would be written in a command or a variable. */
export const scalarText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");
