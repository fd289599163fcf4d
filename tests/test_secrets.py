"""Keys and tokens are found and never shown whole; ordinary code passes."""

import pytest

from fastkaggle_plus.exceptions import SecretFound
from fastkaggle_plus.secrets import env_values, find_secrets, refuse_secrets

HEX = "0123456789abcdef" * 4
SECRETS = {
    "Kaggle API key": f'{{"username":"me","key":"{HEX[:32]}"}}',
    "Kaggle API token": "KGAT_" + HEX[:32],
    "Hugging Face token": "hf_" + "aB3" * 12,
    "OpenAI or Anthropic key": "sk-" + "aB3" * 12,
    "AWS access key": "AKIA" + "ABCD" * 4,
    "AWS secret key": f"AWS_SECRET_ACCESS_KEY='{'aB3+' * 10}'",
    "Google API key": "AIza" + "aB3_x" * 7,
    "GitHub token": "ghp_" + "aB3x" * 9,
    "Slack token": "xoxb-" + "1234567890",
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "Weights & Biases key": f'wandb.login(key="{HEX[:40]}")',
    "password in an address": "postgres://me:hunter22@db/x",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind(kind):
    text = f"import os\nx = 1\ny = {SECRETS[kind]}  # mine\n"
    [found] = find_secrets(text)
    assert (found.kind, found.line) == (kind, 3) and len(found.shown.split("...")[0]) == 6
    with pytest.raises(SecretFound, match="cell 2, line 3") as e:
        refuse_secrets(text, "cell 2")
    assert SECRETS[kind].split("=")[-1].strip("'\"") not in str(e.value)


@pytest.mark.parametrize(
    "line",
    [
        "import os; KAGGLE_KEY = os.environ['KAGGLE_KEY']",
        "key = 'PassengerId'",
        f"sha = '{HEX[:40]}'",
        "df.sort_values(key=lambda c: c)",
        "model = 'sk-learn'",
        "url = 'https://www.kaggle.com/competitions/titanic'",
        "UserSecretsClient().get_secret('hf_token')",
        f"commit {HEX[:32]}",
        "http://localhost:8000/a@b",
    ],
)
def test_ordinary_code(line):
    assert find_secrets(line) == []


@pytest.mark.parametrize(
    "line",
    [
        f"KAGGLE_KEY={HEX[:32]}",
        f"os.environ['KAGGLE_KEY'] = '{HEX[:32]}'",
        f'API(key="{HEX[:32]}")',
        f"Key: {HEX[:32]}",
    ],
)
def test_a_kaggle_key_however_it_is_named(line):
    assert [s.kind for s in find_secrets(line)] == ["Kaggle API key"]


def test_values_of_an_env_file(tmp_path):
    (tmp_path / ".env").write_text(
        "# comment=ignored-one\nPORT=8000\nDB_PASSWORD='correct horse'\nexport TOKEN=abcdefgh12\n"
    )
    assert (
        env_values(tmp_path) == ["correct horse", "abcdefgh12"]
        and env_values(tmp_path / "none") == []
    )
    [found] = find_secrets("a\nlogin('correct horse')", known=env_values(tmp_path))
    assert found.line == 2 and ".env" in found.kind
