/**
 * Headers of tar entries, byte for byte: names and targets of links are latin1 strings that stand for bytes, whatever their encoding. The
 * format is ustar (POSIX.1-1988), with GNU's long names (tar(5)); a name that fits gives the bytes that earlier versions gave, so that a
 * digest stays.
 */
export interface TarEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly executable: boolean;
  /** Bytes of a file that follow the header, padded to `BLOCK`. */
  readonly size: number;
  readonly linkname?: string;
}

export const BLOCK = 512;
/** After the last entry. */
export const END = Buffer.alloc(2 * BLOCK);

const TYPE = { file: "0", directory: "5", symlink: "2" } as const;

/** Nobody's, of no time, readable by everybody. */
export function tarHeader({ name, kind, executable, size, linkname = "" }: TarEntry): Buffer {
  const mode = kind === "symlink" ? 0o777 : kind === "directory" || executable ? 0o755 : 0o644;
  const split = splitName(name);
  return Buffer.concat([
    ...(linkname.length > 100 ? [long("K", linkname)] : []),
    ...(split === undefined ? [long("L", name)] : []),
    block({
      ...{ mode, size, linkname, type: TYPE[kind] },
      ...(split ?? { name: name.slice(0, 100), prefix: "" }),
    }),
  ]);
}

export const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);

/** At most 100 bytes of name after at most 155 of prefix. */
function splitName(full: string): { readonly name: string; readonly prefix: string } | undefined {
  let [prefix, name] = ["", full];
  while (name.length > 100) {
    const slash = name.indexOf("/");
    if (slash === -1) return undefined;
    prefix += `${prefix === "" ? "" : "/"}${name.slice(0, slash)}`;
    name = name.slice(slash + 1);
  }
  return name === "" || prefix.length > 155 ? undefined : { name, prefix };
}

function long(type: "K" | "L", text: string): Buffer {
  const content = Buffer.from(`${text}\0`, "latin1");
  const name = "././@LongLink";
  const header = block({ name, prefix: "", mode: 0, size: content.length, linkname: "", type });
  return Buffer.concat([header, content, padding(content.length)]);
}

function block(fields: {
  readonly name: string;
  readonly prefix: string;
  readonly mode: number;
  readonly size: number;
  readonly linkname: string;
  readonly type: string;
}): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")} `;
  header.write(fields.name, 0, 100, "latin1");
  header.write(octal(fields.mode, 6), 100);
  header.write(octal(0, 6), 108);
  header.write(octal(0, 6), 116);
  if (fields.size < 8 ** 11) header.write(octal(fields.size, 11), 124);
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(fields.size), 128);
  }
  header.write(octal(0, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write(fields.type, 156);
  header.write(fields.linkname.slice(0, 100), 157, 100, "latin1");
  header.write("ustar\x0000", 257);
  header.write(octal(0, 6), 329);
  header.write(octal(0, 6), 337);
  header.write(fields.prefix, 345, 155, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0`, 148);
  return header;
}
