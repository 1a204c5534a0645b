import { usage } from "../../errors.ts";
import { needInNamespace } from "../../values.ts";

export interface InstanceTarget {
  readonly namespace: string;
  readonly service: string;
  readonly slot?: number;
}

/** `NS/SVC` or `NS/SVC.N`. @throws PloyzError `invalid_input`, `usage`. */
export async function needInstance(field: string, value: string | undefined): Promise<InstanceTarget> {
  const [, whole = "", slot] = /^(.*?)(?:\.(\d{1,6}))?$/s.exec(value ?? "") ?? [];
  const { namespace, name } = await needInNamespace(field, whole);
  if (slot === undefined) return { namespace, service: name };
  if (Number(slot) === 0) throw usage(`${field}: instances are numbered from 1`, `ployzctl ps ${whole}`);
  return { namespace, service: name, slot: Number(slot) };
}
