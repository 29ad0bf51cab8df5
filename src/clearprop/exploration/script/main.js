// The page: its cards, put together.

import { choices } from "./choices.js";
import { at } from "./elements.js";
import { begin, HAS_ADDRESS } from "./explorer.js";
import { findings } from "./findings.js";
import { fitted } from "./fitted.js";
import { inside } from "./inside.js";
import { keep } from "./keep.js";
import { layers } from "./layers.js";
import { lessons } from "./lessons.js";
import { network } from "./network.js";
import { ownFile } from "./own_file.js";
import { pad } from "./pad.js";
import { panels } from "./panels.js";
import { curve, plane } from "./pictures.js";
import { practice } from "./practice.js";
import { rowCard } from "./row.js";
import { scrub } from "./scrub.js";
import { stopped } from "./stopped.js";
import { surface } from "./surface.js";
import { tables } from "./tables.js";
import { touch } from "./touch.js";
import { transport } from "./transport.js";

at("address").hidden = !HAS_ADDRESS;
const right = [choices, ownFile, rowCard, pad, inside, layers, surface, findings, tables, practice, keep];
begin([lessons, network, stopped, plane, fitted, curve, transport, scrub, touch, panels, ...right]);
