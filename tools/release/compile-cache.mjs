// Loaded with --import before a bundle: V8 then reads the bundle's compiled code instead of compiling it again. Set
// here and not through NODE_COMPILE_CACHE, because the environment would reach every program that the daemon starts.

import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Only its user may write to the folder, because its contents are executed. Root's is part of the installation.
const directory =
  process.getuid() === 0
    ? join(import.meta.dirname, "..", "cache")
    : join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "ployz", "compile-cache");

enableCompileCache(directory);
