// What the pages cannot do without a script: say why a picture is not shown, copy a path, go back by Escape.
const labels = { gone: "Gone", expired: "Expired" };
const meanings = { gone: "The file is no longer there.", expired: "Claid's temporary link has expired." };
const said = new Set();

function place(picture, problem) {
  const none = document.createElement("span");
  none.className = "none";
  const icon = document.querySelector(`template[data-icon="${problem.state in labels ? problem.state : "failed"}"]`);
  const text = document.createElement("span");
  text.className = "said";
  text.textContent = labels[problem.state] ?? "Not shown";
  none.append(icon.content.cloneNode(true), text);
  none.title = problem.reason;
  if (!(problem.state in labels) || picture.classList.contains("whole")) {
    const why = document.createElement("span");
    why.className = "said small";
    why.textContent = problem.lacking && !picture.classList.contains("whole") ? `The API server lacks ${problem.lacking}` : problem.reason;
    none.append(why);
  }
  if (picture.classList.contains("whole")) {
    picture.parentElement.classList.add("frame", "tall");
  }
  picture.replaceWith(none);
  return none;
}

function tellState(none, problem) {
  if (!(problem.state in labels)) return;
  const around = none.closest(".tile, .single");
  const state = none.closest(".chain") ? null : around?.querySelector("[data-state]");
  if (!state) return;
  state.className = `state ${problem.state}`;
  state.textContent = labels[problem.state];
  state.title = meanings[problem.state];
  const meaning = around.querySelector("[data-meaning]");
  if (meaning) meaning.textContent = meanings[problem.state];
}

function tellLacking(problem) {
  if (!problem.lacking || said.has(problem.lacking)) return;
  said.add(problem.lacking);
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.textContent = problem.reason;
  document.querySelector("[data-lacking]")?.append(notice);
}

async function explain(picture) {
  let problem = { reason: "The picture could not be loaded.", state: "", lacking: "" };
  try {
    const answer = await fetch(picture.src, { headers: { Accept: "application/json" } });
    if (answer.ok) return; // it was only slow
    problem = { ...problem, ...(await answer.json()) };
  } catch {
    // the server did not answer: the first sentence says as much
  }
  const none = place(picture, problem);
  tellState(none, problem);
  tellLacking(problem);
}

for (const picture of document.querySelectorAll("img[data-picture]")) {
  const arrived = () => picture.classList.add("arrived");
  if (picture.complete && picture.naturalWidth) arrived();
  else if (picture.complete && picture.src && picture.loading !== "lazy") explain(picture);
  picture.addEventListener("load", arrived);
  picture.addEventListener("error", () => explain(picture));
}

async function measure(picture) {
  const answer = await fetch(picture.src, { method: "GET", cache: "force-cache" });
  const size = answer.headers.get("X-Picture-Size");
  const place = document.querySelector("[data-measured]");
  if (!size || !place) return;
  place.textContent = size.replace("x", " × ");
  place.parentElement.hidden = false;
}
const first = document.querySelector("img[data-size]");
if (first && document.querySelector("[data-measured]")) first.addEventListener("load", () => measure(first));

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = button.parentElement.querySelector("input");
    field.select();
    let copied = false;
    try {
      await navigator.clipboard.writeText(field.value);
      copied = true;
    } catch {
      copied = document.execCommand("copy"); // the frame may not write to the clipboard by itself
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
  });
}

document.addEventListener("keydown", (event) => {
  const back = document.querySelector("[data-back]");
  if (event.key === "Escape" && back && !event.defaultPrevented) back.click();
});
