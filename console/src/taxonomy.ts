import file from "../../policies/taxonomy.yaml";
import type { Words } from "./api";

type Node = Words & { children?: Record<string, Words> };
type Tree = { adverse: Record<string, Node>; observation: Record<string, Node> };
type Category = { words: Words; adverse: boolean; order: number };

const categories = new Map<string, Category>();
const tree = file as Tree;
for (const adverse of [true, false])
  for (const [family, node] of Object.entries(adverse ? tree.adverse : tree.observation)) {
    const put = (id: string, words: Words) => categories.set(id, { words, adverse, order: categories.size });
    put(family, node);
    for (const [child, words] of Object.entries(node.children ?? {})) put(`${family}.${child}`, words);
  }

/** What is known of a category: its own entry, or of one it lies in, or nothing. */
function known(id: string): Category | undefined {
  const parts = id.split(".");
  for (; parts.length > 0; parts.pop()) {
    const found = categories.get(parts.join("."));
    if (found) return found;
  }
  return undefined;
}

export const familyOf = (id: string) => id.split(".")[0] ?? id;
/** The category's name in both languages; its id where this console is older than the category. */
export const nameOf = (id: string): Words => categories.get(id)?.words ?? { zh: id, en: id };
/** An unknown category counts as adverse: nothing is played down because we do not know it. */
export const isAdverse = (id: string) => known(id)?.adverse ?? true;
/** Adverse families first, each in the order of the taxonomy. */
export const orderOf = (id: string) => known(id)?.order ?? -1;
