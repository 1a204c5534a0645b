/** Breaks text between words into lines of at most `width` characters. A longer word has a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const WIDEST_NAME = 26;

/** Names and their texts in two columns; a name that is too long for its column has its text below. */
export function columns(rows: readonly (readonly [string, string])[], width: number): readonly string[] {
  const short = rows.map(([name]) => name.length).filter((length) => length <= WIDEST_NAME);
  const first = Math.max(4, ...short) + 2;
  const indent = " ".repeat(2 + first);
  return rows.flatMap(([name, text]) => {
    const texts = wrap(text, width - indent.length);
    if (name.length + 2 > first) return [`  ${name}`, ...texts.map((line) => `${indent}${line}`)];
    return texts.map((line, index) => (index === 0 ? `  ${name.padEnd(first)}${line}` : `${indent}${line}`));
  });
}
