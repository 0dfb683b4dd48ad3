// Light or dark as Airflow's own page, in whose frame this one is; before anything is painted.
(() => {
  const own = document.documentElement;
  let outer = null;
  try {
    outer = window.parent !== window ? window.parent.document.documentElement : null;
  } catch {
    outer = null; // framed by a page that may not be read
  }
  own.classList.toggle("framed", outer !== null);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => own.classList.toggle("dark", outer ? outer.classList.contains("dark") : system.matches);
  follow();
  if (outer) {
    new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
  } else {
    system.addEventListener("change", follow);
  }
})();
