from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers import weights as weights_module
from classifiers.classifier import Context, Film
from classifiers.detectors import semantics
from classifiers.weights import PullFailed, WeightsMissing, WeightStore, pull
from provenance.asset import AssetKind, TimeRange
from provenance.registry import Registry

pytestmark = pytest.mark.filterwarnings("ignore")  # torch, transformers and open_clip warn on import; not ours to mend

FILM = Film(Path("film.mp4"), AssetKind.EPISODE, 2_000_000, 64, 64, 0, shots=(TimeRange(0, 2_000_000),))
OPEN_CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {**TOWER, "image_size": 32, "patch_size": 8}


def torch_libraries() -> tuple[Any, Any, Any]:
    from classifiers import torch_models

    return torch_models._torch(), torch_models._transformers(), torch_models._open_clip()


def open_clip_folder(folder: Path) -> Path:
    """A real open_clip checkpoint, tiny and untrained, as open_clip itself saves one."""
    torch, _, open_clip = torch_libraries()
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir()
    model = open_clip.CLIP(**OPEN_CLIP)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
    config = {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def clip_vocabulary() -> dict[str, int]:
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in visible] + [chr(256 + n) for n in range(256 - len(visible))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: i for i, word in enumerate(words)}


def clip_folder(folder: Path) -> Path:
    """A real transformers CLIP checkpoint, tiny and untrained."""
    torch, transformers, _ = torch_libraries()
    torch.manual_seed(0)
    vocabulary = clip_vocabulary()
    text = {
        **TOWER,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 77,
        "projection_dim": 16,
        "bos_token_id": vocabulary["<|startoftext|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
    }
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**VISION, "projection_dim": 16}, projection_dim=16
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    transformers.CLIPProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


def classifier_folder(folder: Path, labels: dict[int, str]) -> Path:
    torch, transformers, _ = torch_libraries()
    torch.manual_seed(0)
    config = transformers.ViTConfig(**VISION, id2label=labels, label2id={v: k for k, v in labels.items()})
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "open_clip": open_clip_folder(root / "open_clip"),
        "clip": clip_folder(root / "clip"),
        "nsfw": classifier_folder(root / "nsfw", {0: "normal", 1: "NSFW"}),
        "pets": classifier_folder(root / "pets", {0: "cat", 1: "dog"}),
    }


def brought(name: str, folder: Path, root: Path) -> WeightStore:
    pull(name, root, folder, licence="Apache-2.0")
    return WeightStore(root)


def picture(value: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(value).integers(0, 256, (64, 48, 3), dtype=np.uint8)


class Shown:
    """A frame as the screen hands it out."""

    def __init__(self, at_us: int, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        self.index, self.at_us, self.until_us, self.shot = at_us // 100_000, at_us, at_us + 100_000, 0
        self.starts_shot = at_us == 0
        self.height, self.width = rgb.shape[:2]
        self.luma64 = np.full((64, 64), rgb.mean() + at_us / 20_000, np.float32)
        self._rgb = rgb

    def rgb(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return self._rgb

    def luma(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return self._rgb[:, :, 0]


def test_without_weights_it_leaves_a_gap_naming_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as missing:
        semantics.classifier.open(FILM, Context(Registry(), WeightStore(tmp_path)))
    assert missing.value.remedy == "dramagate models pull semantics-openclip --from FOLDER --licence WORDS"


@pytest.mark.parametrize("kind", ["open_clip", "clip"])
def test_a_brought_model_answers_as_its_own_library_does(kind: str, tiny: dict[str, Path], tmp_path: Path) -> None:
    from classifiers import torch_models

    torch, transformers, open_clip = torch_libraries()
    folder, _ = brought("semantics-openclip", tiny[kind], tmp_path).folder("semantics-openclip")
    ours = torch_models.image_text(folder)
    assert np.linalg.norm(ours.texts(["a gun", "枪"]), axis=1) == pytest.approx([1, 1], abs=1e-3)
    rgb = picture(1)
    from PIL import Image

    with torch.inference_mode():
        if kind == "open_clip":
            model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny[kind]}")
            theirs = model.eval().encode_image(preprocess(Image.fromarray(rgb))[None], normalize=True)[0].numpy()
        else:
            model = transformers.CLIPModel.from_pretrained(tiny[kind]).eval()
            inputs = transformers.CLIPImageProcessor.from_pretrained(tiny[kind])(images=[rgb], return_tensors="pt")
            features = model.get_image_features(**inputs)
            features = getattr(features, "pooler_output", features)[0].numpy()
            theirs = features / np.linalg.norm(features)
    assert float(ours.pictures([rgb])[0] @ theirs) > 0.999  # bfloat16 where the processor has it


def test_a_film_is_asked_about_through_a_brought_model(tiny: dict[str, Path], tmp_path: Path) -> None:
    store = brought("semantics-openclip", tiny["open_clip"], tmp_path)
    look = semantics.classifier.open(FILM, Context(Registry(), store))
    for at_us in range(0, 2_000_000, 100_000):
        look.see(Shown(at_us, picture(at_us)))
    assert {f.category for f in look.finish(FILM)} <= semantics.classifier.emits


def axis(*at: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.eye(4, dtype=np.float32)[list(at)]


def test_a_concept_is_told_against_every_ordinary_scene() -> None:
    questions = {"violence.weapon": axis(0), "violence.fight": axis(1)}
    shares = semantics.probabilities(axis(0)[0], questions, axis(2, 3), scale=10.0)
    assert shares["violence.weapon"] > 0.99
    assert shares["violence.fight"] == pytest.approx(1 / 3)


def see_weapon(seconds: float) -> list[Any]:
    """A model that knows guns from everything else, shown a gun at the start of a film of two seconds."""

    class Knows:
        scale = 100.0

        def texts(self, texts: Any) -> Any:
            return np.array([[1.0, 0.0] if "gun" in t else [0.0, 1.0] for t in texts], np.float32)

        def pictures(self, rgbs: Any) -> Any:
            return np.array([[1.0, 0.0] if rgb.mean() > 128 else [0.0, 1.0] for rgb in rgbs], np.float32)

    prompts = semantics.Prompts("test-1", ("a street",), {"violence.weapon": ("a gun",)}, {"violence.weapon": 0.8})
    look = semantics._Look(Knows(), prompts, "00")  # type: ignore[arg-type]
    for at_us in range(0, 2_000_000, 100_000):
        gun = at_us < seconds * 1_000_000
        look.see(Shown(at_us, np.full((64, 48, 3), 200 if gun else 20, np.uint8)))
    return list(look.finish(FILM))


def test_what_lasts_a_second_is_found() -> None:
    (finding,) = see_weapon(1.0)
    assert (finding.category, finding.where, finding.score) == ("violence.weapon", TimeRange(0, 1_000_000), 1.0)


def test_what_flickers_is_let_through() -> None:
    assert see_weapon(0.5) == []


def test_weights_that_are_not_there_are_never_random(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text((tiny["open_clip"] / "open_clip_config.json").read_text())
    with pytest.raises(PullFailed, match="holds no weights"):
        pull("semantics-openclip", tmp_path / "root", folder, licence="MIT")
    from classifiers import torch_models

    with pytest.raises(WeightsMissing, match="would be random"):
        torch_models.image_text(folder)


def test_a_damaged_checkpoint_is_a_gap_and_no_crash(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text((tiny["open_clip"] / "open_clip_config.json").read_text())
    (folder / "open_clip_model.safetensors").write_bytes(b"\x10" * 100)
    from classifiers import torch_models

    with pytest.raises(WeightsMissing, match="damaged cannot be loaded"):
        torch_models.image_text(folder)


def test_a_classifier_that_knows_no_unsafe_class_is_refused(tiny: dict[str, Path]) -> None:
    from classifiers import torch_models
    from classifiers.detectors.explicit_content import UNSAFE_LABELS

    model = torch_models.image_classifier(tiny["nsfw"], needs=UNSAFE_LABELS)
    said = model.classify(picture(3))
    assert set(said) == {"normal", "NSFW"}
    assert sum(said.values()) == pytest.approx(1, abs=1e-3)
    assert model.unsafe(picture(3), UNSAFE_LABELS) == pytest.approx(said["NSFW"])
    with pytest.raises(WeightsMissing, match="cat, dog"):
        torch_models.image_classifier(tiny["pets"], needs=UNSAFE_LABELS)


def test_a_pair_of_towers_is_asked_for_not_a_plain_classifier(tiny: dict[str, Path]) -> None:
    from classifiers import torch_models

    with pytest.raises(WeightsMissing):
        torch_models.image_text(tiny["nsfw"])


@pytest.mark.parametrize("languages", [("en",), ("zh",), ("en", "zh")])
def test_the_shipped_prompts_hold_words_in_every_language(languages: tuple[str, ...]) -> None:
    prompts = semantics.shipped_prompts(languages)
    assert frozenset(prompts.concepts) == semantics.classifier.emits
    assert all(prompts.concepts.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: p\nversion: 1\nnothing: {en: [x]}\nconcepts: {a: {at: 0.2, en: [y]}}", "not a share"),
        ("prompts: p\nversion: 1\nnothing: {en: [x]}\nconcepts: {a: {at: 0.8, zh: [y]}}", "the prompts lack 'en'"),
        ("prompts: p\nversion: 1\nnothing: {en: [x]}\nconcepts: {a: {at: 0.8, en: []}}", "no prompts"),
    ],
)
def test_prompts_that_are_wrong_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        semantics.load_prompts(text)


def test_torch_is_imported_only_where_weights_need_it() -> None:
    code = (
        "import sys; from classifiers.classifier import installed; installed(); "
        "import classifiers.torch_models, classifiers.faces; "
        "print([m for m in ('torch', 'transformers', 'open_clip', 'insightface', 'onnx') if m in sys.modules])"
    )
    root = Path(weights_module.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_one_module_imports_torch() -> None:
    package = Path(str(importlib.util.find_spec("classifiers").origin)).parent  # type: ignore[union-attr]
    names = ("import torch", "import transformers", "import open_clip", "from torch", "from transformers")
    having = {
        p.name for p in package.rglob("*.py") for line in p.read_text().splitlines() if line.strip().startswith(names)
    }
    assert having == {"torch_models.py"}
