import type { Asked, PlanView } from "@ployz/primitives/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { send } from "../api.ts";
import { faultOf } from "../live/live.ts";
import { linkTo } from "../model/route.ts";
import { CommandLine, Copy, Fault, Text } from "./bits.tsx";

let write = false;
/** Whether ployzctl was started with --write. */
export const allowWrite = (allowed: boolean): void => {
  write = allowed;
};

interface Shown {
  readonly plan?: PlanView;
  readonly refusals?: readonly { readonly message: string; readonly hint?: string }[];
  readonly fault?: string;
}

/** A change: with --write a preview and a confirmation, else its command to copy. */
export function Action({
  label,
  command,
  asked,
}: {
  readonly label: string;
  readonly command: string;
  readonly asked: Asked;
}) {
  const [open, setOpen] = useState(false);
  if (!write) return <Copy text={command} label={`${label}: copy`} />;
  return (
    <>
      <button type="button" class="small" onClick={() => setOpen(true)}>
        {label}…
      </button>
      {open && <Preview command={command} asked={asked} close={() => setOpen(false)} />}
    </>
  );
}

function Preview({
  command,
  asked,
  close,
}: {
  readonly command: string;
  readonly asked: Asked;
  readonly close: () => void;
}) {
  const [shown, show] = useState<Shown>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    send<Shown>("/change/preview", asked).then(show, (error: unknown) => show({ fault: faultOf(error) }));
  }, []);
  const prepared = shown?.plan?.prepared?.id;
  const apply = async () => {
    setBusy(true);
    try {
      const { operation } = await send<{ operation: string }>("/change/apply", { prepared });
      close();
      location.hash = linkTo("operations", operation);
    } catch (error) {
      show({ fault: faultOf(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={command} close={close}>
      {shown === undefined && <p role="status">Planning…</p>}
      <Fault text={shown?.fault} />
      {shown?.refusals?.map(({ message, hint }) => (
        <Fault key={message} text={`${message}${hint === undefined ? "" : ` (${hint})`}`} />
      ))}
      {shown?.plan && <PlanSteps plan={shown.plan} />}
      <p>
        <CommandLine command={command} />
      </p>
      <footer>
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          class="primary"
          disabled={busy || prepared === undefined || shown?.plan?.changes !== true}
          onClick={() => void apply()}
        >
          Apply this plan
        </button>
      </footer>
    </Dialog>
  );
}

/** Aborts an operation: what it did before its commit is undone. */
export function Abort({ operation }: { readonly operation: string }) {
  const command = `ployzctl ops abort ${operation}`;
  const [open, setOpen] = useState(false);
  const [fault, setFault] = useState<string>();
  if (!write) return <Copy text={command} label="Abort and undo: copy" />;
  const abort = () =>
    send("/change/abort", { operation, confirm: operation }).then(
      () => setOpen(false),
      (error: unknown) => setFault(faultOf(error)),
    );
  return (
    <>
      <button type="button" class="small" onClick={() => setOpen(true)}>
        Abort and undo…
      </button>
      {open && (
        <Dialog title={command} close={() => setOpen(false)}>
          <p>Its finished steps are undone if it has not committed, and finished if it has.</p>
          <Fault text={fault} />
          <footer>
            <button type="button" onClick={() => setOpen(false)}>
              Cancel
            </button>
            <button type="button" class="primary" onClick={() => void abort()}>
              Abort and undo
            </button>
          </footer>
        </Dialog>
      )}
    </>
  );
}

function Dialog({
  title,
  close,
  children,
}: {
  readonly title: string;
  readonly close: () => void;
  readonly children: preact.ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-label={title}>
      <h2>
        <Text>{title}</Text>
      </h2>
      {children}
    </dialog>
  );
}

export function PlanSteps({ plan }: { readonly plan: PlanView }) {
  if (!plan.changes) return <p>Nothing would change.</p>;
  const part = (title: string, steps: PlanView["prepare"]) =>
    steps.length > 0 && (
      <>
        <h3>{title}</h3>
        <ol class="plan">
          {steps.map((step) => (
            <li key={step.id}>
              <Text>{step.title}</Text>
            </li>
          ))}
        </ol>
      </>
    );
  return (
    <>
      {plan.warnings.map((warning) => (
        <p class="warning" key={warning}>
          <Text>{warning}</Text>
        </p>
      ))}
      {part("Before the commit", plan.prepare)}
      {part("After the commit", plan.settle)}
    </>
  );
}
