import { list, object, text } from "@ployz/primitives/documents";
import Type, { type Static } from "typebox";

export const DevDocument = object({
  kind: Type.Literal("dev"),
  gateway: text(),
  cluster: text(),
  machine: text(),
  dns: text(),
  namespace: Type.Optional(text()),
  routes: list(text()),
});
export type DevDocument = Static<typeof DevDocument>;
const devContainers = list(object({ machine: text(), container: text(), running: Type.Boolean() }));
export const DevMachines = object({
  kind: Type.Literal("dev-machines"),
  context: text(),
  gateway: text(),
  machines: devContainers,
});
export type DevMachines = Static<typeof DevMachines>;
export const DevPower = object({ kind: Type.Literal("dev-power"), machines: devContainers });
export type DevPower = Static<typeof DevPower>;
export const DevDown = object({ kind: Type.Literal("dev-down"), removed: list(text()) });
export type DevDown = Static<typeof DevDown>;
