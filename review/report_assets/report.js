(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.remove("no-js");
  function keep(key, value) { try { localStorage.setItem(key, value); } catch (e) { /* a file may not store */ } }
  function kept(key) { try { return localStorage.getItem(key); } catch (e) { return null; } }
  function speak(lang) {
    root.dataset.lang = lang;
    root.lang = lang === "zh" ? "zh-CN" : "en";
    document.title = root.dataset[lang === "zh" ? "titleZh" : "titleEn"];
    document.querySelectorAll("[data-aria-zh]").forEach(function (e) {
      e.setAttribute("aria-label", e.dataset[lang === "zh" ? "ariaZh" : "ariaEn"]);
    });
  }
  var first = /^zh\b/i.test(navigator.language || "zh") ? "zh" : "en";
  speak(kept("dramagate.lang") || first);
  document.getElementById("lang").addEventListener("click", function () {
    var next = root.dataset.lang === "zh" ? "en" : "zh";
    keep("dramagate.lang", next);
    speak(next);
  });
  var theme = kept("dramagate.theme");
  if (theme) { root.dataset.theme = theme; }
  document.getElementById("theme").addEventListener("click", function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("dramagate.theme", root.dataset.theme);
  });
  document.querySelectorAll(".still").forEach(function (button) {
    button.addEventListener("click", function () {
      var shown = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!shown));
      button.parentElement.classList.toggle("large", !shown);
    });
  });
})();
