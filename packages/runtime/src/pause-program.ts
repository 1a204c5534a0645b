import type { RuntimeFacts } from "./runtime.ts";

/** pause(2), again and again: mov eax, 34; syscall; jmp. */
const X86_64 = [0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
/** ppoll(2) of nothing, without an end: mov x8, 73; mov x0..x4, 0; svc 0; b. arm64 has no pause(2). */
const AARCH64 = [
  ...[0x28, 0x09, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2],
  ...[0x03, 0x00, 0x80, 0xd2, 0x04, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xf9, 0xff, 0xff, 0x17],
];
const MACHINE = { amd64: 62, arm64: 183 } as const;
const HEADERS = 64 + 56;
const BASE = 0x400000n;

/**
 * A static program that sleeps until it is killed, in elf(5)'s format: the first process of an instance whose image may have no program
 * that does.
 */
export function pauseProgram(arch: RuntimeFacts["arch"]): Buffer {
  const code = Buffer.from(arch === "amd64" ? X86_64 : AARCH64);
  const size = BigInt(HEADERS + code.length);
  const head = Buffer.alloc(HEADERS);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian
  head.writeUInt16LE(2, 16); // ET_EXEC
  head.writeUInt16LE(MACHINE[arch], 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BASE + BigInt(HEADERS), 24); // entry
  head.writeBigUInt64LE(64n, 32); // the program header follows
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64); // PT_LOAD
  head.writeUInt32LE(5, 68); // read, execute
  head.writeBigUInt64LE(BASE, 80);
  head.writeBigUInt64LE(BASE, 88);
  head.writeBigUInt64LE(size, 96);
  head.writeBigUInt64LE(size, 104);
  head.writeBigUInt64LE(0x10000n, 112);
  return Buffer.concat([head, code]);
}
