/** `$$`, `$NAME`, `${NAME}`, and `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`, as Compose has them. */
const REFERENCE = /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?])([^}]*))?\})/g;

export type Variables = Readonly<Record<string, string>>;

/** The text with its variables' values; `missing` is called for one that has neither a value nor a default. */
export const interpolate = (
  text: string,
  variables: Variables,
  missing: (name: string, message: string | undefined) => never,
): string =>
  text.replaceAll(
    REFERENCE,
    (
      _: string,
      dollar?: string,
      plain?: string,
      braced?: string,
      operator?: string,
      rest: string = "",
    ): string => {
      if (dollar !== undefined) return "$";
      const name = plain ?? braced ?? "";
      const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (value !== undefined && !(value === "" && operator?.startsWith(":") === true)) return value;
      if (operator?.endsWith("-") === true) return rest;
      return missing(name, operator?.endsWith("?") === true ? rest : undefined);
    },
  );

/** Whether the text has a variable in it. */
export const hasVariable = (text: string): boolean =>
  [...text.matchAll(REFERENCE)].some(([, dollar]) => dollar === undefined);
