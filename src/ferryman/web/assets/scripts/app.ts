// The console in the browser. Pages come from the server; this makes them live.

import "htmx.org";
import { startActions } from "./actions";
import { startAdd } from "./add";
import { startBundles } from "./bundles";
import { startChart } from "./chart";
import { startDepot } from "./depot";
import { startDialogs } from "./dialogs";
import { startDrop } from "./drop";
import { startFilters } from "./filters";
import { startForms } from "./forms";
import { startHistory } from "./history";
import { startLog } from "./joblog";
import { startItems } from "./items";
import { startKeys } from "./keys";
import { startLive } from "./live";
import { startPalette } from "./palette";
import { startPlots } from "./plots";
import { startReorder } from "./reorder";
import { startRules } from "./rules";
import { startRowMenus } from "./rowmenu";
import { startSchedule } from "./schedule";
import { startSetters } from "./setters";
import { startSettings } from "./settings";
import { Stream } from "./stream";
import { startTabs } from "./tabs";
import { startTelling } from "./telling";
import { startTimes } from "./times";

/** A session that ended makes the server send the sign-in page; it belongs in the window, not into a part of it. */
function startSession(): void {
  document.addEventListener("htmx:before:response", (event) => {
    const answer = (event as CustomEvent<{ ctx: { response: { raw: Response } } }>).detail.ctx.response.raw;
    if (!answer.redirected || new URL(answer.url).pathname !== "/login") return;
    event.preventDefault();
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
}

function start(): void {
  startSession();
  startTimes();
  startAdd();
  startDrop();
  startRowMenus();
  startDialogs();
  startDepot();
  startBundles();
  startForms();
  startActions();
  startTelling();
  startFilters();
  startHistory();
  startRules();
  startSettings();
  startSetters();
  startReorder();
  startSchedule();
  const address = document.querySelector<HTMLMetaElement>("meta[name=stream]")?.content;
  if (!address) return;
  const stream = new Stream(address);
  startLive(stream);
  startItems(stream);
  startChart(stream);
  startPlots();
  startLog(stream);
  startTabs();
  startKeys(startPalette());
  stream.start();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
