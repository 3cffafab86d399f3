#!/usr/bin/env bun
import { main } from "./src/cli/mod.ts";

await main();
