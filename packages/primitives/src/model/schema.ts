import type { ErrorBody } from "@ployz/errors";
import Type, { type Static, type TObject, type TProperties, type TSchema, type TUnsafe } from "typebox";
import type { Json } from "./json.ts";
import { IPV4 } from "./patterns.ts";

/** An object whose type is read-only. Fields that the schema does not name are allowed: a newer version may have written them. */
export const object = <P extends TProperties>(fields: P): TUnsafe<Readonly<Static<TObject<P>>>> =>
  Type.Unsafe<Readonly<Static<TObject<P>>>>(Type.Object(fields));

export const list = <T extends TSchema>(item: T): TUnsafe<readonly Static<T>[]> =>
  Type.Unsafe<readonly Static<T>[]>(Type.Array(item));

export const map = <T extends TSchema>(value: T): TUnsafe<Readonly<Record<string, Static<T>>>> =>
  Type.Unsafe<Readonly<Record<string, Static<T>>>>(Type.Record(Type.String(), value));

export const json = (): TUnsafe<Json> => Type.Unsafe<Json>({});
export const text = Type.String;
/** IPv4, dotted. */
export const address = () => Type.String({ pattern: IPV4 });
export const count = () => Type.Integer({ minimum: 0 });
export const port = () => Type.Integer({ minimum: 1, maximum: 65_535 });
export const error = () =>
  Type.Unsafe<ErrorBody>(
    object({
      code: text(),
      message: text(),
      /** The next step, as one sentence or one command. */
      hint: Type.Optional(text()),
      machine: Type.Optional(text()),
      step: Type.Optional(text()),
      operationId: Type.Optional(text()),
      details: Type.Optional(map(json())),
    }),
  );
