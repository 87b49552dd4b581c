"use strict";
// Times come in UTC and are shown where the reader is. The session lives in this tab only.

const $ = (id) => document.getElementById(id);
const store = window.sessionStorage;
let session = null;
let sheet = null;
let waiting = null;

const api = async (method, path, body) => {
  const headers = {};
  if (session) headers.Authorization = `Bearer ${session.token}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("No connection. Nothing was lost; try again.");
  }
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401 && session) leave();
  const problem = new Error(explain(response, answer));
  problem.final = response.status < 500 && response.status !== 429;
  throw problem;
};

const explain = (response, answer) => {
  if (response.status === 429) {
    return `Too many attempts. Try again in ${response.headers.get("Retry-After") || "a few"} seconds.`;
  }
  const text = (answer.error && answer.error.message) || `The server answered ${response.status}.`;
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
};

const say = (text, bad) => {
  $("status").textContent = text;
  $("status").classList.toggle("bad", Boolean(bad));
};

const busy = (button, work) => async (event) => {
  if (event) event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    say(problem.message, true);
  } finally {
    button.disabled = false;
  }
};

// A punch keeps its id until it is answered: sent again, it counts once.
const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
};

const surely = async (path, body) => {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await api("POST", path, body);
    } catch (problem) {
      if (problem.final || attempt === 4 || !session) throw problem;
      await new Promise((done) => setTimeout(done, 400 * 2 ** attempt));
    }
  }
};

const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const day = (iso) => new Date(iso).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
const name = (kind) => ({ in: "In", out: "Out", void: "Void" })[kind] || kind;
const mine = () => `/api/v1/employees/${encodeURIComponent(session.employee)}`;

const enter = async () => {
  $("door").hidden = true;
  for (const id of ["clock", "sheet", "sign-out"]) $(id).hidden = false;
  $("who").textContent = session.employee;
  if (!$("month").value) $("month").value = new Date().toISOString().slice(0, 7);
  await Promise.all([showStatus(), showSheet()]);
};

const leave = () => {
  session = null;
  clearTimeout(waiting);
  store.removeItem("session");
  $("door").hidden = false;
  for (const id of ["clock", "sheet", "sign-out"]) $(id).hidden = true;
  $("records").tBodies[0].replaceChildren();
  $("pin").value = "";
  $("employee").focus();
};

const showStatus = async () => {
  const { status, since } = await api("GET", `${mine()}/status`);
  const inside = status === "in";
  $("now").textContent = inside ? "You are in" : "You are out";
  $("since").textContent = since ? `since ${day(since)}, ${clock(since)}` : "No punch yet";
  // Both stay possible: who forgot to clock out must still be able to clock in.
  $("punch-in").classList.toggle("out", inside);
  $("punch-out").classList.toggle("out", !inside);
};

const showSheet = async () => {
  if (!$("month").value) return;
  sheet = await api("GET", `${mine()}/timesheets/${$("month").value}`);
  const replaced = new Set(sheet.records.map((r) => r.corrects).filter(Boolean));
  const rows = [...sheet.records].sort((a, b) => (time(a) < time(b) ? -1 : 1));
  const latest = [...rows].reverse();
  const cells = latest.map((r, i) => row(r, replaced.has(r.seq), i > 0 && day(time(r)) === day(time(latest[i - 1]))));
  $("records").tBodies[0].replaceChildren(...cells);
  $("records").hidden = rows.length === 0;
  $("empty").hidden = rows.length > 0;
  $("hours").textContent = worked(rows.filter((r) => !replaced.has(r.seq) && r.kind !== "void"));
  showSeal();
  choices(latest.filter((r) => !replaced.has(r.seq) && r.kind !== "void"));
};

const time = (record) => record.at || record.recorded_at;

// A day that stands above is there for those who hear the table, not for those who see it.
const row = (record, old, same) => {
  const tr = document.createElement("tr");
  tr.classList.toggle("old", old || record.kind === "void");
  tr.title = `Record ${record.seq}, ${record.hash}`;
  for (const text of [day(time(record)), clock(time(record)), name(record.kind)]) {
    tr.insertCell().textContent = text;
  }
  tr.cells[0].classList.toggle("same", same);
  if (record.at) {
    const note = document.createElement("small");
    note.textContent = record.corrects ? `corrects: ${record.reason}` : `added: ${record.reason}`;
    tr.cells[2].append(note);
  }
  return tr;
};

// From each in to the next out; what is still open is not counted.
const worked = (records) => {
  let total = 0;
  let begun = null;
  for (const record of records) {
    if (record.kind === "in") begun = begun ?? Date.parse(time(record));
    else if (begun !== null) {
      total += Date.parse(time(record)) - begun;
      begun = null;
    }
  }
  const minutes = Math.floor(total / 60000);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};

const showSeal = () => {
  const late = sheet.after_signature;
  $("seal").textContent = !sheet.signed ? "Not signed" : late ? `Signed, ${late} newer` : "Signed";
  $("seal").classList.toggle("yes", sheet.signed && !late);
  $("sign-month").hidden = sheet.signed && !late;
};

const choices = (records) => {
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const options = records.map((r) => option(r.seq, `${day(time(r))}, ${clock(time(r))} ${name(r.kind)}`));
  $("fix-which").replaceChildren(option("", "A missing one"), ...options);
};

const punch = (kind) => async () => {
  const { recorded_at } = await surely("/api/v1/punches", { id: newId(), employee: session.employee, kind });
  say(`${kind === "in" ? "Clocked in" : "Clocked out"} at ${clock(recorded_at)}.`);
  $("now").textContent = kind === "in" ? "You are in" : "You are out";
  $("since").textContent = `since ${day(recorded_at)}, ${clock(recorded_at)}`;
  $("punch-in").classList.toggle("out", kind === "in");
  $("punch-out").classList.toggle("out", kind !== "in");
  await showSheet();
};

const signed = async (tries) => {
  await showSheet();
  if (sheet.signed && !sheet.after_signature) return say("The month is signed.");
  if (tries === 0) return say("Your request is kept; the signature will follow.");
  waiting = setTimeout(() => signed(tries - 1).catch((p) => say(p.message, true)), 1000);
};

$("sign-in-form").addEventListener("submit", busy($("sign-in"), async () => {
  const employee = $("employee").value.trim().toUpperCase();
  const pin = $("pin").value.trim();
  if (!employee || !pin) {
    $(employee ? "pin" : "employee").focus();
    throw new Error("Give employee and PIN.");
  }
  say("");
  const { token } = await api("POST", "/api/v1/sessions", { employee, pin });
  session = { employee, token };
  store.setItem("session", JSON.stringify(session));
  $("pin").value = "";
  await enter();
}));

$("sign-out").addEventListener("click", busy($("sign-out"), async () => {
  try {
    await api("DELETE", "/api/v1/sessions");
  } finally {
    leave();
    say("Signed out.");
  }
}));

$("punch-in").addEventListener("click", busy($("punch-in"), punch("in")));
$("punch-out").addEventListener("click", busy($("punch-out"), punch("out")));
$("month").addEventListener("change", () => showSheet().catch((p) => say(p.message, true)));

$("sign-month").addEventListener("click", busy($("sign-month"), async () => {
  clearTimeout(waiting);
  await surely(`${mine()}/timesheets/${$("month").value}/sign`);
  say("Signing…");
  await signed(20);
}));

$("fix-which").addEventListener("change", () => {
  const record = sheet.records.find((r) => String(r.seq) === $("fix-which").value);
  if (!record) return;
  const at = new Date(time(record));
  at.setMinutes(at.getMinutes() - at.getTimezoneOffset());
  $("fix-at").value = at.toISOString().slice(0, 16);
  $("fix-kind").value = record.kind;
});

$("fix-form").addEventListener("submit", busy($("fix-send"), async () => {
  const at = new Date($("fix-at").value);
  if (Number.isNaN(at.getTime()) || !$("fix-reason").value.trim()) {
    throw new Error("Give the time and the reason.");
  }
  const which = $("fix-which").value;
  await surely("/api/v1/corrections", {
    id: newId(),
    employee: session.employee,
    kind: $("fix-kind").value,
    at: at.toISOString(),
    corrects: which ? Number(which) : null,
    reason: $("fix-reason").value,
  });
  $("fix-reason").value = "";
  $("fix").open = false;
  say("The correction was added.");
  await showSheet();
}));

try {
  session = JSON.parse(store.getItem("session"));
} catch {
  store.removeItem("session");
}
if (session) enter().catch((problem) => say(problem.message, true));
