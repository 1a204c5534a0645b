import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { startLive, useLive } from "./live/live.ts";
import { linkTo, PAGES, type PageId, type Route, routeOf } from "./model/route.ts";
import { ClusterPage } from "./pages/cluster.tsx";
import { DataPage } from "./pages/data.tsx";
import { HistoryPage } from "./pages/history.tsx";
import { LogsPage } from "./pages/logs.tsx";
import { NamespacesPage } from "./pages/namespaces.tsx";
import { OperationsPage } from "./pages/operations.tsx";
import { WarningsPage } from "./pages/warnings.tsx";
import { allowWrite } from "./parts/action.tsx";
import { Fault, State, Text } from "./parts/bits.tsx";

const DRAWN: Readonly<Record<PageId, (props: { readonly of: readonly string[] }) => preact.ComponentChild>> =
  {
    cluster: () => <ClusterPage />,
    namespaces: ({ of }) => <NamespacesPage of={of} />,
    operations: ({ of }) => <OperationsPage of={of} />,
    history: ({ of }) => <HistoryPage of={of} />,
    data: ({ of }) => <DataPage of={of} />,
    logs: ({ of }) => <LogsPage of={of} />,
    warnings: () => <WarningsPage />,
  };

function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const change = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return route;
}

/** `1` to `7` open a page, `/` goes to its search. */
function onKey(event: KeyboardEvent): void {
  const { target, key, ctrlKey, metaKey, altKey } = event;
  if (
    ctrlKey ||
    metaKey ||
    altKey ||
    (target instanceof Element && target.closest("input, select, textarea, dialog"))
  )
    return;
  const page = PAGES.find((one) => one.key === key);
  if (page !== undefined) location.hash = linkTo(page.id);
  const search = key === "/" ? document.querySelector<HTMLInputElement>("main input[type=search]") : null;
  if (search === null) return;
  event.preventDefault();
  search.focus();
}

function Shell() {
  const { page, of } = useRoute();
  const { status, connection, fault, operations } = useLive();
  const running = operations?.filter(({ state }) => state === "running").length ?? 0;
  const counts: Partial<Record<PageId, number>> = {
    warnings: status?.warnings.length ?? 0,
    operations: running,
  };
  const Page = DRAWN[page];
  return (
    <>
      <a
        class="skip"
        href={`${location.hash || "#/"}`}
        onClick={() => document.querySelector<HTMLElement>("main")?.focus()}
      >
        Skip to the page
      </a>
      <header class="top">
        <h1>
          Ployz <Text>{status?.cluster?.name ?? ""}</Text>
        </h1>
        <nav aria-label="Pages">
          {PAGES.map(({ id, title, key }) => (
            <a
              key={id}
              href={linkTo(id)}
              aria-current={id === page ? "page" : undefined}
              title={`Key ${key}`}
            >
              {title}
              <span class={`count ${counts[id] ? id : "none"}`}>{counts[id] || ""}</span>
            </a>
          ))}
        </nav>
        <span class="connection" role="status">
          <State tone={connection === "live" ? "ok" : connection === "lost" ? "bad" : "busy"}>
            {connection === "live" ? "live" : connection === "lost" ? "connection lost" : "connecting"}
          </State>
        </span>
      </header>
      <main tabIndex={-1}>
        <Fault text={fault} />
        <Page of={of} />
      </main>
    </>
  );
}

// The token is a password: it does not stay in the address.
if (location.search !== "") history.replaceState(null, "", `/${location.hash}`);
document.addEventListener("keydown", onKey);
startLive();
const { write } = await fetch("/mode").then(
  (answer) => answer.json() as Promise<{ write: boolean }>,
  () => ({ write: false }),
);
allowWrite(write);
const root = document.querySelector("#page");
if (root !== null) render(<Shell />, root);
