import { ActionIcon, SegmentedControl, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { Episode } from "./Episode";
import { List } from "./List";
import { choose, type Language } from "./words";

/** The part of the address after #/: nothing is the list of submissions, an id one of them. */
function usePlace(): string | null {
  const read = () => decodeURIComponent(location.hash.replace(/^#\/?/, "")) || null;
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const moved = () => {
      setPlace(read());
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}

export function App() {
  const place = usePlace();
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  return (
    <>
      <header className="top">
        <h1>
          <a href="#/">dramagate</a>
        </h1>
        <div className="tools">
          <SegmentedControl
            size="xs"
            aria-label="语言 / Language"
            data={[
              { value: "zh", label: <span lang="zh">中文</span> },
              { value: "en", label: <span lang="en">English</span> },
            ]}
            value={i18n.language}
            onChange={(value) => choose(value as Language)}
          />
          <ActionIcon
            variant="default"
            size={30}
            aria-label={t(scheme === "dark" ? "light" : "dark")}
            title={t(scheme === "dark" ? "light" : "dark")}
            onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
          >
            <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
              <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.6" />
              <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
            </svg>
          </ActionIcon>
        </div>
      </header>
      <main>{place ? <Episode key={place} id={place} /> : <List />}</main>
    </>
  );
}
