// The same, with the store's machine standing still for as long as its lease and all reconnects need to expire.
process.env.PLOYZ_E2E_PAUSE_MS = "30000";
await import("./survival-partition.lab.test.ts");

export {};
