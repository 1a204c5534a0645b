export type { Json } from "@ployz/errors";
