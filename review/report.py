"""The report of one check as a single HTML page that opens anywhere, with evidence stills and nothing fetched.

Everything that comes from the file, its papers or its makers is hostile until shown: markup is escaped,
control and direction characters are made visible, nothing of it becomes code, a style or an address. The page
forbids itself the network by its own content security policy.
"""

from __future__ import annotations

import base64
import hashlib
import html
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from policies.taxonomy import Polarity, taxonomy
from provenance.edit import appearing
from provenance.media import probe
from review.evidence import stills_apart

Json = Mapping[str, Any]
Look = Callable[[str, Sequence[Json]], dict[str, Any]]
"""Shape of `evidence.stills` and of `evidence.stills_apart`, which runs it in a child process."""

ASSETS = Path(__file__).with_name("report_assets")
MOST_STILLS = 40
"""Evidence stills on one page; at 640 px they stay under 4 MB together. The rest is named, not shown."""
MOST_LANES = 40
"""Lanes of the timeline; a screening that fills more is read in the table below it."""
LONGEST_TEXT = 2000
"""Characters of one text shown; a page of subtitle text is about 500."""
_ABOUT = "dramagate-sha256"
_SUFFIXES = {"mp4": ".mp4", "mov": ".mov", "m4a": ".m4a", "png": ".png", "jpeg": ".jpg", "webp": ".webp"}

_OUTCOMES: dict[str, tuple[str, str, str, str]] = {
    "approve": ("通过", "Approve", "可以按提交的原样发布。", "May be published as submitted."),
    "segment": (
        "部分放行",
        "Segment",
        "只能发布处理后的版本；下列区间已剪除、模糊、静音或叠加标识。",
        "Only the rendered version may be published; the ranges below were cut, blurred, muted or labelled.",
    ),
    "hold": (
        "待人工复核",
        "Hold",
        "不能自动放行：必须由人作出决定。",
        "Cannot be cleared automatically: a person must decide.",
    ),
    "reject": ("拒绝", "Reject", "不得发布。", "Must not be published."),
}
_SEALS = {
    "trusted": ("签名可信", "Seal trusted"),
    "valid": ("签名有效，签名者不在信任名单", "Seal valid, signer not on a configured list"),
    "invalid": ("签名无效：内容与签名不符", "Seal invalid: the file is not what was signed"),
    "tainted": ("来源链受损：某个素材未通过验证", "Chain tainted: something it was made from does not hold"),
    "absent": ("没有内容凭证", "No content credentials"),
}
_DISCLOSURES = {
    "signed": ("已在签名中声明为AI生成", "AI-made, said in a manifest that holds"),
    "labelled": ("带有AIGC元数据标识", "AI-made, by an AIGC metadata label"),
    "declared": ("生成工具自述（未经验证）", "AI-made, by unsigned generator metadata"),
    "none": ("未声明", "Not disclosed"),
}
_EDITS = {
    "cut": ("剪除", "Cut"),
    "blur": ("模糊", "Blur"),
    "mute": ("静音", "Mute"),
    "overlay_label": ("叠加标识", "Label"),
    "insert_card": ("片头信息", "Title card"),
    "rewrite_metadata": ("改写元数据", "Metadata"),
}
_KINDS = {
    "law": ("法律法规", "Law"),
    "industry_code": ("行业规范", "Industry code"),
    "platform_terms": ("平台规则", "Platform terms"),
    "house": ("本机构规则（非法律）", "House rule (not law)"),
}
_READINGS = {
    "primary": ("读自原文", "read in the primary text"),
    "quoted": ("逐字引用", "quoted verbatim"),
    "secondary": ("二手来源", "from a secondary source"),
    "memory": ("未核对", "not checked against a text"),
}
_SURFACES = {
    "image": ("画面", "picture"),
    "screen_text": ("画面文字", "text on screen"),
    "subtitle": ("字幕", "subtitle"),
    "speech": ("语音", "speech"),
    "script": ("剧本", "script"),
    "audio": ("声音", "sound"),
    "metadata": ("元数据", "metadata"),
    "provenance": ("来源", "provenance"),
}


def write_report(
    folder: Path, doc: Json, *, media: Path, rendered: Path | None = None, look: Look = stills_apart
) -> Path:
    """Write `doc` (a `check --json` document, design section 3) as a page into `folder`; where it lies.

    The page is report.html, or report-<digest>.html beside the report of another file. Evidence stills are
    taken from `media` by `look`; `rendered` is copied beside the page as `<name>.cut.<suffix>` and linked.
    Raises OSError where `folder` cannot be written, KeyError where `doc` is not such a document.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cut = None if rendered is None else _keep_beside(folder, rendered, media)
    page = _page(doc, _evidence(doc, media, look), cut)
    path = _name(folder, str(doc["sha256"]))
    with appearing(path) as made:
        made.write_text(page, "utf-8")
    return path


def _page(doc: Json, seen: _Evidence, cut: Path | None) -> str:
    """The whole page, in the order a compliance officer reads it."""
    verdict = doc["verdict"]
    style, script = _asset("report.css"), _asset("report.js")
    zh, en = _OUTCOMES[doc["outcome"]][:2]
    name = _plain_name(doc)
    sections = [
        _rendered_section(doc, cut),
        _reasons_section(verdict["reasons"], seen),
        _path_section(verdict["path_to_approval"]),
        _obligations_section(verdict["obligations"], verdict.get("audience") or {}),
        _timeline_section(doc),
        _findings_section(doc),
        _provenance_section(doc["provenance"]),
        _unseen_section(doc["screening"]["gaps"], verdict["not_checked"]),
        _advisories_section(verdict["advisories"], seen),
        _basis_section(doc),
    ]
    policy = (
        "default-src 'none'; img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_csp_hash(style)}'; script-src '{_csp_hash(script)}'"
    )
    return "".join(
        (
            '<!doctype html>\n<html lang="zh-CN" data-lang="zh" class="no-js"',
            f' data-title-zh="{_attr(f"{zh} · {name}")}" data-title-en="{_attr(f"{en} · {name}")}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_attr(policy)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f'<meta name="{_ABOUT}" content="{_attr(doc["sha256"])}"><title>{_attr(f"{zh} · {name}")}</title>',
            f"<style>{style}</style></head><body>",
            f'<a class="skip" href="#main">{_t("跳到正文", "Skip to content")}</a>',
            _header(doc),
            '<main id="main">',
            *sections,
            "</main>",
            _footer(doc),
            f"<script>{script}</script></body></html>\n",
        )
    )


# --- sections -------------------------------------------------------------------------------


def _header(doc: Json) -> str:
    zh, en, means_zh, means_en = _OUTCOMES[doc["outcome"]]
    verdict, screening = doc["verdict"], doc["screening"]
    reasons, edits = len(verdict["reasons"]), len(verdict["edits"])
    findings, gaps = len(screening["findings"]), len(screening["gaps"])
    territories = "".join(
        f'<li><span class="chip {_word(t["outcome"])}">{_territory(name)} · '
        f"{_t(*_OUTCOMES[t['outcome']][:2])}</span></li>"
        for name, t in doc["territories"].items()
    )
    facts = [
        (_t("文件摘要", "SHA-256"), f"<code>{_shown(doc['sha256'])}</code>"),
        (_t("时长", "Duration"), _clock(doc["duration_us"])),
    ]
    if doc.get("as_of"):
        facts.append((_t("判定时点", "Judged as of"), _shown(doc["as_of"])))
    if doc.get("gate"):
        facts.append((_t("关口", "Gate"), _shown(doc["gate"])))
    if doc.get("released_sha256"):
        facts.append((_t("放行文件摘要", "Released SHA-256"), f"<code>{_shown(doc['released_sha256'])}</code>"))
    rows = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts)
    counts = _t(
        f"{reasons} 条理由 · {edits} 处处理 · {findings} 项发现 · {gaps} 项未能检查",
        f"{_n(reasons, 'reason')} · {_n(edits, 'edit')} · {_n(findings, 'finding')} · {_n(gaps, 'gap')}",
    )
    return (
        '<header><div><div class="bar"><strong>dramagate</strong>'
        '<div class="tools"><button id="lang" type="button" data-aria-zh="Switch to English" data-aria-en="切换到中文">'
        f"{_t('English', '中文')}</button>"
        '<button id="theme" type="button" data-aria-zh="切换深色或浅色" data-aria-en="Switch dark or light">◐</button>'
        "</div></div>"
        f"<h1>{_shown(_plain_name(doc))}</h1>"
        f'<div class="verdict {_word(doc["outcome"])}" role="status"><div class="word">{_t(zh, en)}</div>'
        f'<div><p class="means">{_t(means_zh, means_en)}</p><p class="counts">{counts}</p></div></div>'
        f'<ul class="territories">{territories}</ul><dl class="facts">{rows}</dl>{_contents()}</div></header>'
    )


def _contents() -> str:
    names = (
        ("reasons", "理由", "Reasons"),
        ("path", "如何通过", "Path to approval"),
        ("timeline", "时间线", "Timeline"),
        ("findings", "发现", "Findings"),
        ("provenance", "来源", "Provenance"),
        ("unseen", "未检查", "Not checked"),
        ("basis", "依据", "Basis"),
    )
    links = "".join(f'<a href="#{anchor}">{_t(zh, en)}</a>' for anchor, zh, en in names)
    return f'<nav aria-label="Contents" data-aria-zh="目录" data-aria-en="Contents">{links}</nav>'


def _rendered_section(doc: Json, cut: Path | None) -> str:
    edits = doc["verdict"]["edits"]
    again = doc.get("rescreened")
    if cut is None and not edits:
        return ""
    body = []
    if cut is not None:
        name = _attr(_url(cut.name))
        size = f"{cut.stat().st_size / 1_000_000:.1f} MB"
        body.append(
            f'<p><a class="cut-link" href="{name}">'
            f"{_t('打开处理后的版本', 'Open the rendered version')} ({size})</a></p>"
        )
    if again:
        zh, en = _OUTCOMES[again["outcome"]][:2]
        body.append(
            f"<p>{_t('处理后的版本已重新审查：', 'The rendered version was screened again: ')}"
            f'<span class="chip {_word(again["outcome"])}">{_t(zh, en)}</span></p>'
        )
    if edits:
        rows = (
            (
                _t(*_EDITS[edit["do"]]),
                _span(edit["start_us"], edit["end_us"]),
                _say(edit["text"]) if edit.get("text") else _region(edit.get("region")),
                f"<code>{_shown(edit['rule'])}</code>",
            )
            for edit in edits
        )
        heads = (("处理", "Edit"), ("区间", "Range"), ("内容", "What"), ("规则", "Rule"))
        body.append(_table(("处理清单", "Edits"), heads, rows))
    if cut is not None and cut.suffix in (".mp4", ".mov", ".m4a"):
        body.append(f'<video controls preload="metadata" src="{_attr(_url(cut.name))}"></video>')
    return _section("edits", "处理后的版本", "Rendered version", "".join(body))


def _reasons_section(reasons: Sequence[Json], seen: _Evidence) -> str:
    order = list(_OUTCOMES)
    strictest = sorted(reasons, key=lambda r: -order.index(r["outcome"]))
    body = "".join(_reason(reason, seen) for reason in strictest)
    nothing = _t("没有任何规则反对发布。", "No rule objects to publication.")
    return _section("reasons", "理由", "Reasons", body or f'<p class="empty">{nothing}</p>')


def _reason(reason: Json, seen: _Evidence, advisory: bool = False) -> str:
    kind = "advice" if advisory else _word(reason["outcome"])
    chip = _t("提示", "Advice") if advisory else _t(*_OUTCOMES[reason["outcome"]][:2])
    ranges = "".join(f"<li>{_span(*r)}</li>" for r in reason["ranges"])
    links = ", ".join(
        f'<a href="#{_attr(f)}"><code>{_shown(f)}</code></a>' for f in reason["finding_ids"] if f in seen.findings
    )
    territory = reason.get("territory")
    return (
        f'<article class="reason {kind}"><div class="head"><span class="chip {kind}">{chip}</span>'
        f"<h3>{_say(reason['title'])}</h3></div><p>{_say(reason['explanation'])}</p>"
        f'<p class="source">{_source(reason["source"])}</p>'
        + (f'<ul class="times">{ranges}</ul>' if ranges else "")
        + _stills(seen.of_reason(reason))
        + f'<div class="meta"><span>{_t("规则", "Rule")} <code>{_shown(reason["rule"])}</code></span>'
        f"<span>{_t('规则集', 'Rulebook')} <code>{_shown(reason['rulebook'])}</code></span>"
        + (f"<span>{_t('适用地', 'Territory')} {_territory(territory)}</span>" if territory else "")
        + (f"<span>{_t('发现', 'Findings')} {links}</span>" if links else "")
        + "</div></article>"
    )


def _source(source: Any) -> str:
    """Where a rule comes from, in words; addresses are text, never links a page could be abused for."""
    if not isinstance(source, Mapping):
        return f"{_t('依据', 'Source')}: {_shown(source)}"
    parts = [_t(*_KINDS[source["kind"]]) if source.get("kind") in _KINDS else _shown(source.get("kind", ""))]
    cite = source.get("cite")
    if cite:
        parts.append(_say(cite) if isinstance(cite, Mapping) else _shown(cite))
    if source.get("read") in _READINGS:
        parts.append(_t(*_READINGS[source["read"]]))
    if source.get("url"):
        parts.append(f"<span class='mono'>{_shown(source['url'])}</span>")
    return f"{_t('依据：', 'Source: ')}" + " · ".join(part for part in parts if part)


def _path_section(steps: Sequence[Json]) -> str:
    items = "".join(
        f"<li>{_say(step['what'])} "
        + (
            f'<span class="chip approve">{_t("已验证有效", "verified")}</span>'
            if step["verified"]
            else f'<span class="chip">{_t("未验证", "not verified")}</span>'
        )
        + f'<div class="meta">{_t("解决", "Answers")} '
        + ", ".join(f"<code>{_shown(rule)}</code>" for rule in step["removes"])
        + "</div></li>"
        for step in steps
    )
    if not items:
        return _section(
            "path", "如何通过", "Path to approval", f'<p class="empty">{_t("无需任何步骤。", "Nothing is needed.")}</p>'
        )
    return _section("path", "如何通过", "Path to approval", f'<ol class="plain">{items}</ol>')


def _obligations_section(obligations: Sequence[Json], audience: Json) -> str:
    if not obligations and not audience:
        return ""
    items = "".join(
        f"<li>{_say(o['what'])} <code>{_shown(o['rule'])}</code>"
        + (f" {_territory(o['territory'])}" if o.get("territory") else "")
        + "</li>"
        for o in obligations
    )
    limits = "".join(f"<li>{_shown(key)}: {_shown(value)}</li>" for key, value in audience.items())
    body = f'<ul class="plain">{items}</ul>' if items else ""
    if limits:
        body += f"<h4>{_t('受众限制', 'Audience')}</h4><ul class='plain'>{limits}</ul>"
    return _section("obligations", "发布前必须完成", "Obligations", body)


def _timeline_section(doc: Json) -> str:
    total = max(1, doc["duration_us"])
    screening = doc["screening"]
    shots = "".join(
        _bar(s["start_us"], s["end_us"], total, f"shot{i % 2}", "") for i, s in enumerate(screening["shots"])
    )
    rows = [(_t("镜头", "Shots"), f"{len(screening['shots'])}", shots)] if screening["shots"] else []
    edits = "".join(
        _bar(e["start_us"], e["end_us"], total, _word(e["do"]), f"{_EDITS[e['do']][1]} {_span_text(e)}")
        for e in doc["verdict"]["edits"]
        if e["do"] != "rewrite_metadata"
    )
    if edits:
        rows.append((_t("处理", "Edits"), "", edits))
    lanes: dict[str, list[Json]] = {}
    for finding in screening["findings"]:
        lanes.setdefault(str(finding["category"]), []).append(finding)
    ordered = sorted(lanes, key=lambda c: (not _is_adverse(c), c))
    for category in ordered[:MOST_LANES]:
        kind = "adverse" if _is_adverse(category) else "observation"
        bars = "".join(
            f'<a href="#{_attr(f["id"])}" aria-label="{_attr(f"{category} {_span_text(f)}")}">'
            + _bar(f["start_us"], f["end_us"], total, kind, f"{category} {_span_text(f)} · {_score(f)}")
            + "</a>"
            for f in lanes[category]
        )
        rows.append((_category(category), f"<code>{_shown(category)}</code>", bars))
    if not rows:
        return _section(
            "timeline", "时间线", "Timeline", f'<p class="empty">{_t("没有可显示的内容。", "Nothing to show.")}</p>'
        )
    body = "".join(
        f'<div class="label">{label}{f"<small>{small}</small>" if small else ""}</div>'
        f'<svg viewBox="0 0 10000 22" preserveAspectRatio="none" role="group">{bars}</svg>'
        for label, small, bars in rows
    )
    ticks = "".join(f"<span>{_clock(total * i // 4, milliseconds=False)}</span>" for i in range(5))
    legend = "".join(
        f'<span><svg viewBox="0 0 14 10" aria-hidden="true"><rect class="{kind}" width="14" height="10"/></svg>'
        f"{_t(zh, en)}</span>"
        for kind, zh, en in (("adverse", "不利发现", "adverse finding"), ("observation", "一般发现", "observation"))
    )
    more = len(ordered) - MOST_LANES
    note = (
        f'<p class="note">{_t(f"另有 {more} 类见下表", f"{more} more categories are in the table below")}</p>'
        if more > 0
        else ""
    )
    return _section(
        "timeline",
        "时间线",
        "Timeline",
        f'<div class="lanes">{body}<div></div><div class="ticks">{ticks}</div></div>'
        f'<div class="legend">{legend}</div>{note}',
    )


def _findings_section(doc: Json) -> str:
    rows = []
    found = sorted(doc["screening"]["findings"], key=lambda f: (not _is_adverse(str(f["category"])), f["start_us"]))
    for f in found:
        what = []
        if f.get("text"):
            what.append(f"“{_shown(f['text'])}”")
        what += [f"<code>{_shown(f[key])}</code>" for key in ("subject", "work") if f.get(key)]
        measured = ", ".join(f"{_shown(k)} {_shown(_short(v))}" for k, v in (f.get("measured") or {}).items())
        if measured:
            what.append(f"<small>{measured}</small>")
        if f.get("region"):
            what.append(f"<small>{_region(f['region'])}</small>")
        surface = str(f.get("surface", ""))
        rows.append(
            (
                f"{_category(str(f['category']))}<br><code>{_shown(f['category'])}</code>",
                _span(f["start_us"], f["end_us"]),
                _score(f) + ("" if f.get("calibrated") else " *"),
                _t(*_SURFACES[surface]) if surface in _SURFACES else _shown(surface),
                "<br>".join(what),
                f"{_shown(f['classifier'])}<br><small>{_shown(f['version'])}</small>",
            )
        )
    if not rows:
        return _section(
            "findings", "全部发现", "All findings", f'<p class="empty">{_t("没有发现。", "Nothing was found.")}</p>'
        )
    heads = (
        ("类别", "Category"),
        ("区间", "Range"),
        ("得分", "Score"),
        ("位置", "Where"),
        ("内容", "What"),
        ("分类器", "Classifier"),
    )
    note = _t(
        "* 未校准：只能与同一版本的得分比较。", "* not calibrated: compares with scores of the same version only."
    )
    return _section(
        "findings",
        "全部发现",
        "All findings",
        _table(("全部发现", "All findings"), heads, rows, [str(f["id"]) for f in found])
        + f'<p class="note">{note}</p>',
    )


def _provenance_section(provenance: Json) -> str:
    facts = [
        (_t("签名", "Seal"), _t(*_SEALS[provenance["seal"]])),
        (_t("AI披露", "AI disclosure"), _t(*_DISCLOSURES[provenance["ai_disclosure"]])),
    ]
    if provenance.get("signer"):
        facts.append((_t("签名者", "Signer"), _shown(provenance["signer"])))
    if provenance.get("generators"):
        facts.append(
            (
                _t("生成工具痕迹（未经验证）", "Generator traces (unverified)"),
                ", ".join(map(_shown, provenance["generators"])),
            )
        )
    body = '<dl class="facts">' + "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts) + "</dl>"
    aigc = provenance.get("aigc")
    if aigc:
        state = _t("符合标准", "conforming") if aigc["conforming"] else _t("不符合标准", "not conforming")
        rows = [(f"<code>{_shown(k)}</code>", f"<code>{_shown(v)}</code>") for k, v in aigc["fields"].items()]
        body += (
            f"<h4>{_t('AIGC元数据标识', 'AIGC metadata label')} · {state} · <code>{_shown(aigc['carrier'])}</code></h4>"
        )
        body += _table(("AIGC元数据标识", "AIGC metadata label"), (("字段", "Field"), ("值", "Value")), rows)
    if provenance["problems"]:
        items = "".join(
            f"<li>{_t_shown(p['zh'], p['en'])} <code>{_shown(p['code'])}</code>"
            + (f" ({_shown(p['where'])})" if p.get("where") else "")
            + "</li>"
            for p in provenance["problems"]
        )
        body += f"<h4>{_t('问题', 'Problems')}</h4><ul class='plain'>{items}</ul>"
    if provenance["chain"]:
        links = [
            (
                _shown(link.get("title") or ""),
                _shown(link.get("relationship") or "") or _t("本文件", "this file"),
                _shown(link.get("signer") or ""),
                _t("成立", "holds") if link["state"] == "ok" else _t("不成立", "fails"),
                ", ".join(map(_shown, link["actions"])),
                ", ".join(map(_shown, link["tools"])),
            )
            for link in provenance["chain"]
        ]
        heads = (
            ("素材", "Title"),
            ("关系", "Relationship"),
            ("签名者", "Signer"),
            ("状态", "State"),
            ("操作", "Actions"),
            ("工具", "Tools"),
        )
        body += f"<h4>{_t('来源链', 'Chain')}</h4>" + _table(("来源链", "Chain"), heads, links)
    return _section("provenance", "来源与标识", "Provenance and labels", body)


def _unseen_section(gaps: Sequence[Json], not_checked: Sequence[Any]) -> str:
    named = {str(g["classifier"]) for g in gaps}
    optional = {str(n) for n in not_checked}
    rows = [
        (
            f"<code>{_shown(g['classifier'])}</code>",
            _shown(g["reason"]),
            _shown(g["remedy"]),
            _t("未要求，仅告知", "not required") if g["classifier"] in optional else _t("规则要求", "required"),
        )
        for g in gaps
    ] + [
        (f"<code>{_shown(n)}</code>", "", "", _t("未要求，仅告知", "not required"))
        for n in not_checked
        if n not in named
    ]
    if not rows:
        nothing = _t("所有已安装的检查都完成了。", "Every installed check looked.")
        return _section("unseen", "未检查", "Not checked", f'<p class="empty">{nothing}</p>')
    heads = (("检查", "Check"), ("原因", "Why"), ("补救", "Remedy"), ("规则集", "Rulebooks"))
    note = _t("没看过的不等于没有问题。", "What was not looked at is not thereby clean.")
    return _section(
        "unseen",
        "未检查",
        "Not checked",
        f'<p class="note">{note}</p>' + _table(("未检查", "Not checked"), heads, rows),
    )


def _advisories_section(advisories: Sequence[Json], seen: _Evidence) -> str:
    if not advisories:
        return ""
    note = _t("以下不影响结论。", "These do not change the outcome.")
    body = f'<p class="note">{note}</p>' + "".join(_reason(a, seen, advisory=True) for a in advisories)
    return _section("advisories", "提示", "Advice", body)


def _basis_section(doc: Json) -> str:
    verdict, screening = doc["verdict"], doc["screening"]
    books = [
        (
            _shown(b["name"]),
            _shown(b["version"]),
            _territory(b["territory"]) if b.get("territory") else "",
            f"<code>{_shown(b['digest'])}</code>",
        )
        for b in verdict["rulebooks"]
    ]
    body = _table(
        ("规则集", "Rulebooks"),
        (("规则集", "Rulebook"), ("版本", "Version"), ("适用地", "Territory"), ("摘要", "Digest")),
        books,
    )
    ran = [
        (
            f"<code>{_shown(r['classifier'])}</code>",
            _shown(r["version"]),
            f"{_shown(r['frames_examined'])} / {_shown(r['frames_total'])}",
            _shown(r["cpu_ms"]),
        )
        for r in screening["ran"]
    ]
    if ran:
        heads = (
            ("分类器", "Classifier"),
            ("版本", "Version"),
            ("检查帧/总帧", "Frames looked at / all"),
            ("CPU 毫秒", "CPU ms"),
        )
        body += f"<h4>{_t('完成的检查', 'What looked')}</h4>" + _table(("完成的检查", "What looked"), heads, ran)
    timing = doc.get("timing") or {}
    if timing:
        body += f"<h4>{_t('耗时', 'Timing')}</h4><p class='note'>" + " · ".join(
            f"<code>{_shown(k)}</code> {_shown(v)}" for k, v in timing.items()
        )
        body += "</p>"
    return _section("basis", "判定依据", "Basis", body)


def _footer(doc: Json) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    said = _t(
        f"本页由 dramagate 于 {now} 生成，不访问网络。证据画面来自送审文件，默认模糊。",
        f"Written by dramagate on {now}; this page uses no network."
        " Stills are from the submitted file, blurred until asked for.",
    )
    return f"<footer><p>{said} <code>{_shown(doc['schema'])}</code></p></footer>"


# --- evidence -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Still:
    at_us: int
    jpeg: str | None
    why: str | None
    caption: str


@dataclass(frozen=True)
class _Evidence:
    findings: Mapping[str, Json]
    stills: Mapping[str, _Still]
    """By finding id; by rule id and range where a reason has ranges and no finding."""
    left_out: int

    def of_reason(self, reason: Json) -> list[_Still]:
        """The stills that show why, each once."""
        keys = [f for f in reason["finding_ids"] if f in self.stills]
        return [self.stills[key] for key in keys or [k for k, _ in _ranges(reason) if k in self.stills]]


def _ranges(reason: Json) -> list[tuple[str, Sequence[int]]]:
    return [(f"{reason['rule']} {r[0]} {r[1]}", r) for r in reason["ranges"]]


def _evidence(doc: Json, media: Path, look: Look) -> _Evidence:
    """A still for every finding a reason rests on, strictest reason first; for its ranges where it names none."""
    findings = {str(f["id"]): f for f in doc["screening"]["findings"]}
    order = list(_OUTCOMES)
    reasons = sorted(doc["verdict"]["reasons"], key=lambda r: -order.index(r["outcome"]))
    wanted: dict[str, dict[str, Any]] = {}
    for reason in [*reasons, *doc["verdict"]["advisories"]]:
        seen = [f for f in map(str, reason["finding_ids"]) if f in findings and _has_picture(findings[f])]
        for key in seen:
            finding = findings[key]
            caption = f"{_category(str(finding['category']))} {_score(finding)}"
            wanted.setdefault(key, {**_instant(finding), "caption": caption})
        if not reason["finding_ids"]:
            for key, (start, end) in _ranges(reason):
                wanted.setdefault(key, {"at_us": (start + end) // 2, "caption": ""})
    chosen = dict(list(wanted.items())[:MOST_STILLS])
    if not chosen:
        return _Evidence(findings, {}, 0)
    asked = [{k: w[k] for k in ("at_us", "region") if w.get(k) is not None} for w in chosen.values()]
    answered = look(str(media), asked)["stills"]
    made = {
        key: _Still(got["at_us"], got.get("jpeg"), got.get("why"), w["caption"])
        for (key, w), got in zip(chosen.items(), answered, strict=True)
    }
    return _Evidence(findings, made, len(wanted) - len(chosen))


def _has_picture(finding: Json) -> bool:
    return finding.get("surface") in ("image", "screen_text", "subtitle", None)


def _instant(finding: Json) -> dict[str, Any]:
    """When to look: where the classifier says it saw it ("frame:<us>"), else in the middle."""
    evidence = str(finding.get("evidence") or "")
    middle = (finding["start_us"] + finding["end_us"]) // 2
    told = evidence.removeprefix("frame:")
    return {
        "at_us": int(told) if told != evidence and told.isascii() and told.isdigit() else middle,
        "region": finding.get("region"),
    }


def _stills(found: Sequence[_Still]) -> str:
    items = []
    for still in found:
        caption = f"{_clock(still.at_us)} {still.caption}"
        if still.jpeg is None:
            items.append(f'<li><div class="missing">{_shown(still.why or "")}</div><small>{caption}</small></li>')
            continue
        base64.b64decode(still.jpeg, validate=True)  # nothing else may reach the address of an image
        at = _clock_text(still.at_us)
        items.append(
            '<li><button class="still" type="button" aria-pressed="false"'
            f' data-aria-zh="点击显示 {at} 的证据画面" data-aria-en="Click to show the evidence still at {at}">'
            f'<img alt="" src="data:image/jpeg;base64,{still.jpeg}">'
            f"<span>{_t('点击显示', 'Click to show')}</span></button><small>{caption}</small></li>"
        )
    return f'<ul class="stills">{"".join(items)}</ul>' if items else ""


# --- pieces ---------------------------------------------------------------------------------


def _section(anchor: str, zh: str, en: str, body: str) -> str:
    return f'<section id="{anchor}" aria-labelledby="{anchor}-h"><h2 id="{anchor}-h">{_t(zh, en)}</h2>{body}</section>'


def _table(
    name: tuple[str, str],
    heads: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    ids: Sequence[str] = (),
) -> str:
    head = "".join(f'<th scope="col">{_t(*h)}</th>' for h in heads)
    body = "".join(
        (f'<tr id="{_attr(ids[i])}">' if ids else "<tr>") + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for i, row in enumerate(rows)
    )
    return (
        '<div class="scroll" tabindex="0" role="region"'
        f' data-aria-zh="{_attr(name[0])}" data-aria-en="{_attr(name[1])}" aria-label="{_attr(name[0])}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _bar(start_us: int, end_us: int, total: int, kind: str, title: str) -> str:
    # A finding of one frame in an hour still is a line one can see and click: at least 0.4 % of the width.
    x = max(0, min(9960, start_us * 10000 // total))
    width = max(40, min(10000, end_us * 10000 // total) - x) if title else max(1, end_us * 10000 // total - x)
    said = f"<title>{_attr(title)}</title>" if title else ""
    return f'<rect class="{_word(kind)}" x="{x}" y="0" width="{width}" height="22">{said}</rect>'


def _t(zh: str, en: str) -> str:
    """The same in both languages; both are our own words and may hold markup."""
    return f'<span class="zh" lang="zh-CN">{zh}</span><span class="en" lang="en">{en}</span>'


def _t_shown(zh: Any, en: Any) -> str:
    return _t(_shown(zh), _shown(en))


def _say(words: Any) -> str:
    """Bilingual words of a rulebook or a file."""
    if isinstance(words, Mapping):
        return _t_shown(words.get("zh") or words.get("en") or "", words.get("en") or words.get("zh") or "")
    return _shown(words)


def _shown(value: Any) -> str:
    """Any text as it can be shown: escaped, apart from its surroundings' direction, nothing in it invisible."""
    text = str(value)
    over = len(text) - LONGEST_TEXT
    parts = [_visible(c) for c in text[:LONGEST_TEXT]]
    more = f" {_t(f'（另有 {over} 个字符）', f'({over} more characters)')}" if over > 0 else ""
    return f"<bdi>{''.join(parts)}</bdi>{more}" if parts else ""


def _visible(c: str) -> str:
    if c == "\n":
        return "<br>"
    if c == "\t":
        return " "
    if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f'<span class="ctl">U+{ord(c):04X}</span>'
    return html.escape(c)


def _attr(value: Any) -> str:
    """Text inside an attribute: escaped, and what cannot be seen written out."""
    text = "".join(
        f"[U+{ord(c):04X}]" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c
        for c in str(value)[:LONGEST_TEXT]
    )
    return html.escape(text, quote=True)


def _word(kind: str) -> str:
    """`kind` as a class name. Raises ValueError where it is not one of ours."""
    if not kind.replace("_", "").isalnum() or not kind.isascii():
        raise ValueError(f"not a word of the contract: {kind!r}")
    return kind


def _category(category: str) -> str:
    known = taxonomy().categories.get(category)
    return _shown(category) if known is None else _t_shown(known.zh, known.en)


def _is_adverse(category: str) -> bool:
    return taxonomy().polarity(category) is not Polarity.OBSERVATION


def _territory(name: Any) -> str:
    return _t("通用", "everywhere") if name == "*" else _shown(name)


def _score(finding: Json) -> str:
    return f"{float(finding['score']):.2f}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _region(region: Sequence[float] | None) -> str:
    if not region:
        return ""
    x, y, w, h = (round(float(n) * 100) for n in region)
    return _t(f"画面区域 {x}%, {y}%, 宽 {w}%, 高 {h}%", f"region {x} %, {y} %, {w} % wide, {h} % high")


def _span(start_us: int, end_us: int) -> str:
    return f'<span class="time">{_clock_text(start_us)} – {_clock_text(end_us)}</span>'


def _span_text(of: Json) -> str:
    return f"{_clock_text(of['start_us'])} – {_clock_text(of['end_us'])}"


def _clock(us: int, *, milliseconds: bool = True) -> str:
    return f'<span class="time">{_clock_text(us, milliseconds=milliseconds)}</span>'


def _clock_text(us: int, *, milliseconds: bool = True) -> str:
    seconds, rest = divmod(int(us) // 1000, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}" + (f".{rest:03d}" if milliseconds else "")


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _plain_name(doc: Json) -> str:
    return str(doc["file"]).replace("\\", "/").rsplit("/", 1)[-1] or str(doc["file"])


# --- files ----------------------------------------------------------------------------------


def _asset(name: str) -> str:
    return (ASSETS / name).read_text("utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _name(folder: Path, sha256: str) -> Path:
    path = folder / "report.html"
    if path.exists() and f'name="{_ABOUT}" content="{_attr(sha256)}"' not in path.read_text("utf-8", "replace")[:8192]:
        return folder / f"report-{_safe(sha256)[:12]}.html"
    return path


def _keep_beside(folder: Path, rendered: Path, media: Path) -> Path:
    suffix = _SUFFIXES.get(probe(rendered).container, media.suffix)
    target = folder / f"{_safe(media.stem)[:80]}.cut{suffix}"
    if not (target.exists() and target.samefile(rendered)):
        with appearing(target) as made:
            shutil.copyfile(rendered, made)
    return target


def _safe(name: str) -> str:
    """`name` as part of a file name that no shell, browser or file system stumbles over."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "film"


def _url(name: str) -> str:
    return "./" + quote(name)
