import { AppShell, Group, SegmentedControl, Title } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { Episode } from "./Episode";
import { List } from "./List";
import { choose, type Language } from "./words";

/** The part of the address after #/, as a list: [] is the list of submissions, [id] one of them. */
function usePlace(): string | null {
  const read = () => decodeURIComponent(location.hash.replace(/^#\/?/, "")) || null;
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const moved = () => setPlace(read());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}

export function App() {
  const place = usePlace();
  const { i18n } = useTranslation();
  return (
    <AppShell header={{ height: 56 }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          <Title order={1} size="h4">
            <a href="#/" className="home">
              dramagate
            </a>
          </Title>
          <SegmentedControl
            size="xs"
            aria-label="语言 / language"
            data={[
              { value: "zh", label: "中文" },
              { value: "en", label: "English" },
            ]}
            value={i18n.language}
            onChange={(value) => choose(value as Language)}
          />
        </Group>
      </AppShell.Header>
      <AppShell.Main>{place ? <Episode key={place} id={place} /> : <List />}</AppShell.Main>
    </AppShell>
  );
}
