/**
 * The part of TypeBox's types that the published declarations use. TypeBox's own, with a parser of TypeScript in types, take a
 * consumer's compiler twenty seconds to check when `skipLibCheck` is false; these take none. `~static` exists in types only.
 */
export type TSchema = object;
export interface TUnsafe<T> {
  readonly "~static": T;
}
export type TString = TUnsafe<string>;
export type TNumber = TUnsafe<number>;
export type TInteger = TUnsafe<number>;
export type TBoolean = TUnsafe<boolean>;
export type TLiteral<T> = TUnsafe<T>;
export type TEnum<T extends readonly unknown[]> = TUnsafe<T[number]>;
export interface TArray<T extends TSchema> {
  readonly "~static": Static<T>[];
}
export interface TRecord<_Key, T extends TSchema> {
  readonly "~static": Record<string, Static<T>>;
}
export interface TUnion<T extends readonly TSchema[]> {
  readonly "~static": Static<T[number]>;
}
export interface TIntersect<T extends readonly TSchema[]> {
  readonly "~static": All<T>;
}
type All<T> = T extends readonly [infer First extends TSchema, ...infer Rest]
  ? Static<First> & All<Rest>
  : unknown;
export type TOptional<T extends TSchema> = T & { readonly "~optional": true };
export type TProperties = Record<string, TSchema>;
export interface TObject<P extends TProperties = TProperties> {
  readonly "~static": Fields<P>;
}

type OptionalKeys<P> = { [K in keyof P]: P[K] extends { readonly "~optional": true } ? K : never }[keyof P];
type Fields<P extends TProperties> = Flat<
  { [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & { [K in OptionalKeys<P>]?: Static<P[K]> }
>;
type Flat<T> = { [K in keyof T]: T[K] };

export type Static<T extends TSchema> = T extends { readonly "~static": infer S } ? S : unknown;
