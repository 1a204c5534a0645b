import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { visible } from "../model/text.ts";

/** Text of other programs. It keeps its own direction. */
export const Text = ({ children, title = true }: { readonly children: string; readonly title?: boolean }) => {
  const shown = visible(children);
  return title ? <bdi title={shown}>{shown}</bdi> : <bdi>{shown}</bdi>;
};

export type Tone = "ok" | "warn" | "bad" | "busy" | "dim";

/** A state: its word says it, the colour repeats it. */
export const State = ({ tone, children }: { readonly tone: Tone; readonly children: string }) => (
  <span class={`state ${tone}`}>{visible(children)}</span>
);

export const toneOf = (state: string): Tone => {
  if (["running", "done", "good", "active", "ok"].includes(state)) return "ok";
  if (["started", "created", "candidate", "undoing", "joining", "incoming"].includes(state)) return "busy";
  if (["pending", "stopped", "retired", "standby", "drained", "undone", "aborted"].includes(state))
    return "dim";
  if (["failed", "exited", "missing", "down", "undo-failed", "bad"].includes(state)) return "bad";
  return "warn";
};

/** A share of a whole, 0 to 1. `text` says the same. */
export function Meter({
  share,
  text,
  label,
}: {
  readonly share: number | undefined;
  readonly text: string;
  readonly label: string;
}) {
  const known = share === undefined ? 0 : Math.max(0, Math.min(1, share));
  return (
    <span class="meter" role="img" aria-label={`${label}: ${text}`}>
      <span class="meter-track" aria-hidden="true">
        <span class={`meter-fill ${known > 0.9 ? "bad" : ""}`} style={{ width: `${known * 100}%` }} />
      </span>
      <span class="meter-text">{text}</span>
    </span>
  );
}

const SAID_MS = 1_500;

/** Copies text; a browser without a clipboard lets it be selected. */
export function Copy({ text, label = "Copy" }: { readonly text: string; readonly label?: string }) {
  const [said, say] = useState<string>();
  const copy = async () => {
    const done = await navigator.clipboard.writeText(text).then(
      () => "Copied",
      () => "Select it",
    );
    say(done);
    setTimeout(() => say(undefined), SAID_MS);
  };
  return (
    <button type="button" class="small" onClick={() => void copy()} title={`Copy: ${text}`}>
      <span aria-live="polite">{said ?? label}</span>
    </button>
  );
}

/** A command to type, with a button that copies it. */
export const CommandLine = ({ command }: { readonly command: string }) => (
  <span class="command">
    <code>{visible(command)}</code>
    <Copy text={command} />
  </span>
);

export const Panel = ({
  title,
  aside,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}) => (
  <section class="panel" aria-label={title}>
    <header>
      <h2>{title}</h2>
      {aside}
    </header>
    {children}
  </section>
);

export const Nothing = ({ children }: { readonly children: ComponentChildren }) => (
  <p class="nothing">{children}</p>
);

export const Fault = ({ text }: { readonly text: string | undefined }) =>
  text === undefined ? null : (
    <p class="fault" role="alert">
      <Text title={false}>{text}</Text>
    </p>
  );
