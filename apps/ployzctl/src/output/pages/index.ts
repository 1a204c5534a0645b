import type { Document, ErrorDocument, FollowedDocument } from "../../documents.ts";
import { bytes, lines, type Page } from "../page.ts";
import { alertChangedPage, alertPage, alertsPage, alertTestedPage } from "./alerts.ts";
import { backupPage, backupsPage, repositoriesPage, repositoryPage } from "./backups.ts";
import { certificateAccountPage, certificatesPage } from "./certificates.ts";
import { contextPage, contextRemovedPage, contextsPage } from "./contexts.ts";
import { daemonPage, installedPage, uninstalledPage } from "./daemon.ts";
import { devMachinesPage, devPage, devPowerPage } from "./dev.ts";
import { doctorPage } from "./doctor.ts";
import { gatewaysPage } from "./gateways.ts";
import { commitPage, historyPage } from "./history.ts";
import { imagePage, imageStatusPage } from "./image-cleaning.ts";
import { imagesPage, pushedPage } from "./images.ts";
import { invitesPage } from "./invites.ts";
import { addedPage, machinePage, machinesPage, meshPage, rttPage, updatedPage } from "./machines.ts";
import { instancesPage, namespacePage, namespacesPage, routesPage } from "./namespaces.ts";
import { networkPolicyPage } from "./network.ts";
import { abortPage, detailPage, operationsPage, resultPage } from "./operations.ts";
import { planPage } from "./plan.ts";
import { registriesPage, registryPage } from "./registries.ts";
import { runsPage } from "./runs.ts";
import { schedulePage, schedulesPage } from "./schedules.ts";
import { secretPage, secretsPage } from "./secrets.ts";
import { standbysPage } from "./standbys.ts";
import { statusPage } from "./status.ts";
import { movedPage, snapshotPage, storePage, storePlanPage } from "./store.ts";
import { tokenPage, tokensPage } from "./tokens.ts";
import { exportedPage, snapshotsPage, volumePage, volumesPage } from "./volumes.ts";

const REPAIRED = {
  restored: "the last readable value was written again",
  removed: "removed, because no readable value was kept",
  unchanged: "nothing to repair",
} as const;

/** The page of a document. `now` in milliseconds, for ages. */
export function pageOf(document: Exclude<Document, FollowedDocument | ErrorDocument>, now: number): Page {
  switch (document.kind) {
    case "daemon":
      return daemonPage(document);
    case "daemon-installed":
      return installedPage(document);
    case "daemon-stopped":
      return [
        lines(document.stopped ? "stopped the daemon; workloads keep running" : "the daemon was not running"),
      ];
    case "daemon-uninstalled":
      return uninstalledPage(document);
    case "mesh":
      return meshPage(document);
    case "left":
      return [
        lines(
          document.left ? "left the cluster" : "this machine was in no cluster",
          ...(document.kept ?? []).map(
            (dataset) => `kept dataset ${dataset}; to remove it: zfs destroy -r ${dataset}`,
          ),
        ),
      ];
    case "self-record":
      return [
        lines(
          ...Object.entries(document)
            .filter(([key]) => key !== "kind")
            .map(([key, value]) => `${key}: ${String(value)}`),
        ),
      ];
    case "ready":
      return [
        document.ready
          ? lines({ text: "ready", tone: "ok" })
          : lines({ text: "not ready", tone: "bad" }, ...document.missing.map((what) => `  ${what}`)),
      ];
    case "machines":
      return machinesPage(document);
    case "machine":
      return machinePage(document);
    case "machine-add":
      return addedPage(document);
    case "machine-update":
      return updatedPage(document);
    case "invite-created":
      // Only the token, to be piped.
      return [lines(document.token)];
    case "invites":
      return invitesPage(document, now);
    case "invite":
      return [lines(`invite ${document.id} is ${document.state}`)];
    case "token-created":
      // Only the token, to be piped.
      return [lines(document.token)];
    case "tokens":
      return tokensPage(document, now);
    case "token":
      return tokenPage(document, now);
    case "token-revoked":
      return [lines({ text: `revoked token ${document.name}`, tone: "ok" })];
    case "rtt":
      return rttPage(document);
    case "instances":
      return instancesPage(document, now);
    case "namespaces":
      return namespacesPage(document.namespaces, now);
    case "namespace":
      return namespacePage(document, now);
    case "history":
      return historyPage(document, now);
    case "commit":
      return commitPage(document);
    case "images":
      return imagesPage(document, now);
    case "image":
      return imagePage(document);
    case "image-status":
      return imageStatusPage(document, now);
    case "image-built":
      return [
        lines(
          { text: `built ${document.name} with ${document.builder}`, tone: "ok" },
          `to give it to the cluster: ployzctl image push ${document.name}`,
        ),
      ];
    case "image-pushed":
      return pushedPage(document);
    case "alerts":
      return alertsPage(document, now);
    case "alert":
      return alertPage(document, now);
    case "alert-set":
    case "alert-removed":
      return alertChangedPage(document);
    case "alert-tested":
      return alertTestedPage(document);
    case "registries":
      return registriesPage(document, now);
    case "registry-set":
    case "registry-removed":
      return registryPage(document);
    case "certificates":
      return certificatesPage(document, now);
    case "certificate-account":
      return certificateAccountPage(document);
    case "standbys":
      return standbysPage(document, now);
    case "schedules":
      return schedulesPage(document, now);
    case "schedule":
      return schedulePage(document, now);
    case "backup-repositories":
      return repositoriesPage(document, now);
    case "backup-repository":
      return repositoryPage(document);
    case "backups":
      return backupsPage(document, now);
    case "backup":
      return backupPage(document);
    case "secrets":
      return secretsPage(document, now);
    case "secret-set":
    case "secret-removed":
      return secretPage(document);
    case "volumes":
      return volumesPage(document);
    case "volume":
      return volumePage(document, now);
    case "snapshots":
      return snapshotsPage(document, now);
    case "volume-exported":
      return exportedPage(document);
    case "store":
      return storePage(document);
    case "store-plan":
      return storePlanPage(document);
    case "store-moved":
      return movedPage(document);
    case "network-policy":
      return networkPolicyPage(document);
    case "store-repaired":
      return [lines(`${document.record}: ${REPAIRED[document.action]}`)];
    case "store-snapshot":
      return snapshotPage(document);
    case "routes":
      return routesPage(document);
    case "gateways":
      return gatewaysPage(document);
    case "status":
      return statusPage(document, now);
    case "doctor":
      return doctorPage(document);
    case "operations":
      return operationsPage(document.operations, now);
    case "operation":
      return resultPage(document);
    case "operation-detail":
      return detailPage(document);
    case "plan":
      return planPage(document);
    case "detached":
      return [
        lines(
          `detached from ${document.operation}; it ${document.committed ? "has committed and is cleaning up" : "is still running"}`,
          `to follow it: ployzctl ops watch ${document.operation}`,
        ),
      ];
    case "abort":
      return abortPage(document);
    case "version": {
      const { version, build, node, daemon } = document;
      const daemonLine =
        daemon == null
          ? "ployzd     not reachable"
          : `ployzd     ${daemon.version} ${daemon.build.slice(0, 12)} node ${daemon.node}`;
      return [lines(`ployzctl   ${version} ${build.slice(0, 12)} node ${node}`, daemonLine)];
    }
    case "dev":
      return devPage(document);
    case "dev-machines":
      return devMachinesPage(document);
    case "dev-power":
      return devPowerPage(document);
    case "dev-down":
      return [
        document.removed.length === 0
          ? lines("nothing to remove")
          : lines(...document.removed.map((what) => `removed ${what}`)),
      ];
    case "exec":
      return [];
    case "contexts":
      return contextsPage(document);
    case "context":
      return contextPage(document);
    case "context-removed":
      return contextRemovedPage(document);
    case "run-started":
      return [lines(document.instance)];
    case "run-stopped":
      return [lines(`stopped ${document.id} on ${document.machine}`)];
    case "runs":
      return runsPage(document, now);
    case "copied":
      return [lines(`copied ${bytes(document.bytes)} from ${document.from} to ${document.to}`)];
    case "manifest":
    case "text":
      return [lines(...document.text.trimEnd().split("\n"))];
  }
}
