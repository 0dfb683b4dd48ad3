// Light or dark, and on the same ground, as Airflow's own page, in whose frame this one is; before anything is painted.
(() => {
  const own = document.documentElement;
  let outer = null;
  try {
    outer = window.parent !== window ? window.parent.document : null;
  } catch {
    outer = null; // framed by a page that may not be read
  }
  own.classList.toggle("framed", outer !== null);
  own.classList.toggle("tab", outer !== null && /\/dags\//.test(window.parent.location.pathname));
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const groundBehind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = window.parent.getComputedStyle(each).backgroundColor;
      if (colour && colour !== "transparent" && colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "";
  };
  const follow = () => {
    own.classList.toggle("dark", outer ? outer.documentElement.classList.contains("dark") : system.matches);
    if (!outer) return;
    const ground = groundBehind(window.frameElement);
    if (ground) own.style.setProperty("--ground", ground);
  };
  follow();
  if (outer) {
    new MutationObserver(follow).observe(outer.documentElement, { attributes: true, attributeFilter: ["class"] });
  } else {
    system.addEventListener("change", follow);
  }
})();
