import i18next from "i18next";
import { initReactI18next } from "react-i18next";

// Every word the console shows, in both languages. What rules say comes from the rulebooks.
const zh = {
  title: "送审",
  empty: "还没有送审的作品。用 API 或 dramagate demo 提交一个。",
  loading: "正在读取……",
  file: "文件",
  state: "状态",
  verdict: "结论",
  length: "时长",
  received: "收到",
  more: "更早的",
  back: "返回列表",
  why: "理由",
  nothing: "未见问题",
  rule: "规则",
  law: "依据",
  timeline: "时间轴",
  shots: "镜头",
  findings: "发现",
  seal: "内容凭证",
  signer: "签署者",
  disclosure: "AI 声明",
  gaps: "没能查看的",
  notChecked: "未检查",
  obligations: "还需补齐",
  path: "怎样才能通过",
  submitted: "送审版本",
  released: "可发布版本",
  reveal: "按住显示画面",
  blurred: "画面默认模糊。按住空白处的按钮或 V 键显示。",
  keys: "空格 播放 · J/L 退/进 1 秒 · , . 逐帧 · [ ] 上/下一处发现 · V 显示画面",
  problems: "问题",
  play: "播放",
  pause: "暂停",
  edits: "修改",
  denied: "请用 dramagate serve 打印的地址打开控制台。",
  pending: "还在审查：",
  outcome: { approve: "通过", segment: "分段", hold: "待人工", reject: "拒绝" },
  states: {
    received: "已收到", verifying: "核对凭证", screening: "筛查中", decided: "已判定", in_queue: "等待审核员",
    in_review: "审核中", rendering: "剪辑中", rescreening: "复查中", released: "可发布", rejected: "已拒绝",
    failed: "失败", withdrawn: "已撤回", superseded: "已被替代",
  },
};
const en: typeof zh = {
  title: "Submissions",
  empty: "Nothing has been submitted yet. Submit a file through the API, or run dramagate demo.",
  loading: "Reading …",
  file: "File",
  state: "State",
  verdict: "Verdict",
  length: "Length",
  received: "Received",
  more: "Earlier ones",
  back: "Back to the list",
  why: "Reasons",
  nothing: "Nothing stands against it",
  rule: "Rule",
  law: "Source",
  timeline: "Timeline",
  shots: "Shots",
  findings: "Findings",
  seal: "Content credentials",
  signer: "Signer",
  disclosure: "AI disclosure",
  gaps: "Could not be looked at",
  notChecked: "Not checked",
  obligations: "Still owed",
  path: "What would make it pass",
  submitted: "As submitted",
  released: "May be published",
  reveal: "Hold to see the picture",
  blurred: "The picture is blurred. Hold the button, or the V key, to see it.",
  keys: "Space play · J/L one second back/on · , . one frame · [ ] previous/next finding · V see the picture",
  problems: "Problems",
  play: "Play",
  pause: "Pause",
  edits: "Edits",
  denied: "Open the console with the address that dramagate serve prints.",
  pending: "Still under review:",
  outcome: { approve: "approve", segment: "segment", hold: "hold", reject: "reject" },
  states: {
    received: "received", verifying: "verifying", screening: "screening", decided: "decided", in_queue: "waits for a reviewer",
    in_review: "in review", rendering: "rendering", rescreening: "rescreening", released: "may be published",
    rejected: "rejected", failed: "failed", withdrawn: "withdrawn", superseded: "superseded",
  },
};

export type Language = "zh" | "en";

/** zh where the reader's browser says Chinese or nothing was chosen before; remembered on this machine. */
export function startLanguage(): Language {
  const chosen = localStorage.getItem("language");
  if (chosen === "zh" || chosen === "en") return chosen;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

void i18next.use(initReactI18next).init({
  lng: startLanguage(),
  fallbackLng: "en",
  resources: { zh: { translation: zh }, en: { translation: en } },
  interpolation: { escapeValue: false },
});

export function choose(language: Language): void {
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  void i18next.changeLanguage(language);
}
document.documentElement.lang = startLanguage();
