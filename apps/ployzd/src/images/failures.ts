import { errorBody } from "@ployz/errors";
import type { BlobSource } from "@ployz/images";
import { PloyzError } from "../error-codes.ts";
import type { Peers } from "./peers.ts";

/** The same machines as sources, and the errors that they end with. */
export function noting(peers: Peers): { readonly peers: Peers; readonly failures: readonly unknown[] } {
  const failures: unknown[] = [];
  const noted = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failures.push(error);
      throw error;
    }
  };
  const source = ({ name, open }: BlobSource): BlobSource => ({
    name,
    open: (blob, offset, signal) => noted(open(blob, offset, signal)),
  });
  return {
    failures,
    peers: {
      ...peers,
      source: (machine) => source(peers.source(machine)),
      growing: (machine) => source(peers.growing(machine)),
      manifest: (machine, digest, signal) => noted(peers.manifest(machine, digest, signal)),
    },
  };
}

/** Those of an image that no registry gives. */
const NOT_OUTSIDE = ["image_missing", "registry_unreachable", "registry_denied", "registry_rate_limited"];
/** Those of a machine that may be back soon: the step is tried again. */
const SOON = ["machine_unreachable", "call_interrupted", "deadline_exceeded"];
const BROKEN = ["transfer_failed", "transfer_refused"];

/**
 * Why an image could not be brought here. That its registry, which is tried last, does not have it either is no reason while a machine that may have it
 * only does not answer now.
 */
export function reasonOf(error: unknown, failures: readonly unknown[]): unknown {
  if (!NOT_OUTSIDE.includes(errorBody(error).code)) return error;
  const soon = failures.find((one) => SOON.includes(errorBody(one).code));
  if (soon !== undefined) return soon;
  const broken = failures.find((one) => BROKEN.includes(errorBody(one).code));
  if (broken === undefined) return error;
  return new PloyzError(
    {
      code: "call_interrupted",
      message: errorBody(broken).message,
      hint: "run the same command again: the bytes that have arrived stay",
    },
    { cause: broken },
  );
}
