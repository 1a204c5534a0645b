/** Sent and stored values: plain JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));
/** `T` is what the sender promises; nothing is checked here. */
export const decode = <T = Json>(bytes: Uint8Array): T => JSON.parse(decoder.decode(bytes)) as T;

export function isObject(value: unknown): value is Readonly<Record<string, Json>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
