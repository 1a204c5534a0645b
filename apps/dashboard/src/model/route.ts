export const PAGES = [
  { id: "cluster", title: "Cluster", key: "1" },
  { id: "namespaces", title: "Namespaces", key: "2" },
  { id: "operations", title: "Operations", key: "3" },
  { id: "history", title: "History", key: "4" },
  { id: "data", title: "Data", key: "5" },
  { id: "logs", title: "Logs", key: "6" },
  { id: "warnings", title: "Warnings", key: "7" },
] as const;

export type PageId = (typeof PAGES)[number]["id"];

export interface Route {
  readonly page: PageId;
  /** Its subject, such as a namespace. */
  readonly of: readonly string[];
}

/** The page of `#/operations/ID`; the first one where there is no such page. Pure. */
export function routeOf(hash: string): Route {
  const [id, ...of] = hash.replace(/^#\//, "").split("/").map(decoded);
  const page = PAGES.find((one) => one.id === id)?.id ?? "cluster";
  return { page, of: of.filter((part) => part !== "") };
}

export const linkTo = (page: PageId, ...of: readonly string[]): string =>
  `#/${[page, ...of.map(encodeURIComponent)].join("/")}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
