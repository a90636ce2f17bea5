import "@mantine/core/styles.css";
import "./console.css";
import "./words";

import { createTheme, type CSSVariablesResolver, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { ApiError } from "./api";

const client = new QueryClient({
  defaultOptions: {
    queries: { retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 3 },
  },
});

const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 5 },
  defaultRadius: "sm",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "WenQuanYi Zen Hei Mono", monospace',
});

/** Mantine's own soft text and links are too pale for 4.5 to 1 on these backgrounds. */
const colours: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#f6f7f9",
    "--mantine-color-text": "#171b22",
    "--mantine-color-dimmed": "#545e6e",
    "--mantine-color-placeholder": "#636d7c",
    "--mantine-color-anchor": "#2f44ad",
    "--mantine-color-default-border": "#dadee5",
  },
  dark: {
    "--mantine-color-body": "#11141a",
    "--mantine-color-text": "#e6e9ef",
    "--mantine-color-dimmed": "#a2acbb",
    "--mantine-color-placeholder": "#98a2b3",
    "--mantine-color-anchor": "#a5b4ff",
    "--mantine-color-default": "#1c212b",
    "--mantine-color-default-border": "#343c49",
  },
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <MantineProvider defaultColorScheme="auto" theme={theme} cssVariablesResolver={colours}>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
