"""The manifests are valid Kubernetes, and say what the code does: paths, ports, options, times, metrics."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate
from prometheus_client import CollectorRegistry

from tests.docs.test_snippets import blocks
from voiceloop.cli.main import parser as command_line
from voiceloop.observe.metrics import Metrics
from voiceloop.server.phone import ROUTES
from voiceloop.server.phone_options import PhoneOptions, public_base
from voiceloop.server.supervision import SupervisionOptions
from voiceloop.server.workers import SPARE
from voiceloop.store.place import place_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "kubernetes"
PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
FILES = {file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yaml"))}
NOT_APPLIED = {"secret.example.yaml", "prometheus-adapter.yaml"}
MANIFESTS = {
    name: text for name, text in FILES.items() if name not in ("kustomization.yaml", "prometheus-adapter.yaml")
}
VERSIONS = ("1.30", "1.37")  # the first with preStop.sleep switched on; the newest that the package knows
POD = FILES["deployment.yaml"]["spec"]["template"]
(AGENT,) = POD["spec"]["containers"]
OPTIONS = command_line().parse_args(AGENT["command"][1:])


def seconds(probe: str) -> float:
    """How long a probe may fail."""
    return AGENT[probe]["periodSeconds"] * AGENT[probe]["failureThreshold"]


# --- schemas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_valid(name: str, version: str) -> None:
    validate(MANIFESTS[name], version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "terminationGracePeriod"), 660),  # no such field
        (("spec", "template", "spec", "terminationGracePeriodSeconds"), "660"),
        (("spec", "selector"), None),
        (("spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port"), None),
    ],
)
def test_what_is_not_valid_is_found(path: tuple[str | int, ...], value: object) -> None:
    broken = copy.deepcopy(FILES["deployment.yaml"])
    inside: Any = broken
    for step in path[:-1]:
        inside = inside[step]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    with pytest.raises(ValidationError):
        validate(broken, VERSIONS[-1], strict=True)


def test_a_kind_that_is_not_known_is_found() -> None:
    with pytest.raises(SchemaNotFoundError):
        validate(FILES["service.yaml"] | {"kind": "Servise"}, VERSIONS[-1], strict=True)


def test_all_files_are_applied_but_for_those_that_cannot_be() -> None:
    kustomization = FILES["kustomization.yaml"]
    assert {*kustomization["resources"]} == {*FILES} - NOT_APPLIED - {"kustomization.yaml"}
    assert kustomization["namespace"] == FILES["namespace.yaml"]["metadata"]["name"]


def test_the_page_names_all_files() -> None:
    assert {name for name in FILES if f"`{name}`" not in PAGE} == {"kustomization.yaml", "namespace.yaml"}


# --- what belongs together --------------------------------------------------------------------------------------


def test_everything_is_about_the_same_pods() -> None:
    labels, name = POD["metadata"]["labels"], FILES["deployment.yaml"]["metadata"]["name"]
    assert labels == {"app.kubernetes.io/name": name}
    assert FILES["deployment.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert FILES["service.yaml"]["spec"]["selector"] == labels
    assert FILES["disruption.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert FILES["network.yaml"]["spec"]["podSelector"]["matchLabels"] == labels
    assert [each["labelSelector"]["matchLabels"] for each in POD["spec"]["topologySpreadConstraints"]] == [labels] * 2
    target = FILES["autoscaler.yaml"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    assert "replicas" not in FILES["deployment.yaml"]["spec"]  # or each `kubectl apply` would undo the autoscaler


def test_ports_are_those_of_the_command() -> None:
    ports = {port["name"]: port["containerPort"] for port in AGENT["ports"]}
    assert ports == {"http": OPTIONS.port, "metrics": OPTIONS.metrics_port}
    assert (OPTIONS.host, OPTIONS.metrics_host) == ("0.0.0.0", "0.0.0.0")  # loopback is the container's alone
    (port,) = FILES["service.yaml"]["spec"]["ports"]
    assert port["targetPort"] == "http"
    annotations = POD["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(OPTIONS.metrics_port)
    assert annotations["prometheus.io/path"] == "/metrics"


def test_probes_ask_what_the_server_answers() -> None:
    asked = {name: AGENT[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {name: get["path"] for name, get in asked.items()} == {
        "startupProbe": "/healthz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",  # never /readyz: a pod that is busy would be restarted, with all of its calls
    }
    assert {get["port"] for get in asked.values()} == {"http"}
    assert all("GET" in ROUTES[get["path"]] for get in asked.values())


def test_the_supervisor_comes_before_the_kubelet() -> None:
    assert seconds("livenessProbe") >= SupervisionOptions().beat_limit  # a worker that hangs is replaced, not the pod
    assert seconds("startupProbe") >= 300  # models are large
    assert seconds("readinessProbe") <= 5


OUTSIDE = {"/voice", "/status", "/media"}


def test_the_way_in_is_for_twilio_alone() -> None:
    (rule,) = FILES["ingress.yaml"]["spec"]["rules"]
    backend = {"service": {"name": FILES["service.yaml"]["metadata"]["name"], "port": {"name": "http"}}}
    assert {path["path"] for path in rule["http"]["paths"]} == OUTSIDE < set(ROUTES)
    assert [path["backend"] for path in rule["http"]["paths"]] == [backend] * 3
    assert {path["pathType"] for path in rule["http"]["paths"]} == {"Exact"}
    host = public_base(FILES["config.yaml"]["data"]["VOICELOOP_PUBLIC_URL"]).removeprefix("https://")
    assert rule["host"] == host
    assert FILES["ingress.yaml"]["spec"]["tls"][0]["hosts"] == [host]


def test_the_route_of_the_page_is_the_same_way_in() -> None:
    (route,) = (yaml.safe_load(block.text) for block in blocks(PAGE, "kubernetes.md") if block.language == "yaml")
    (rule,), ingress = route["spec"]["rules"], FILES["ingress.yaml"]["spec"]["rules"][0]
    (port,) = FILES["service.yaml"]["spec"]["ports"]
    assert {match["path"]["value"] for match in rule["matches"]} == OUTSIDE
    assert rule["timeouts"] == {"request": "0s"}  # calls take as long as they take
    assert rule["backendRefs"] == [{"name": FILES["service.yaml"]["metadata"]["name"], "port": port["port"]}]
    assert route["spec"]["hostnames"] == [ingress["host"]]


def test_metrics_are_for_prometheus_alone() -> None:
    calls, metrics = FILES["network.yaml"]["spec"]["ingress"]
    assert FILES["network.yaml"]["spec"]["policyTypes"] == ["Ingress"]
    assert [calls["ports"], metrics["ports"]] == [[{"port": "http"}], [{"port": "metrics"}]]
    assert calls["from"] != metrics["from"]
    assert all(each["from"] for each in (calls, metrics))  # an empty list would be everybody


# --- what the process is told -----------------------------------------------------------------------------------


def test_there_is_a_core_for_each_worker_and_no_limit_to_it() -> None:
    resources = AGENT["resources"]
    assert OPTIONS.workers == int(resources["requests"]["cpu"]) > 1
    assert "cpu" not in resources["limits"]


def test_all_that_ends_a_pod_fits_into_its_grace() -> None:
    wait, grace = AGENT["lifecycle"]["preStop"]["sleep"]["seconds"], POD["spec"]["terminationGracePeriodSeconds"]
    needed = wait + OPTIONS.drain + PhoneOptions().last_words + SPARE
    assert needed <= grace <= needed + 60
    assert OPTIONS.drain >= PhoneOptions().drain
    table = [int(number) for number in re.findall(r"^\| [^|]+ \| (\d+) \|", PAGE, re.MULTILINE)[:5]]
    drained = wait + OPTIONS.drain
    assert table == [
        0,
        wait,
        drained,
        drained + PhoneOptions().last_words,
        POD["spec"]["terminationGracePeriodSeconds"],
    ]


def test_variables_are_ones_that_the_code_reads() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "voiceloop").rglob("*.py"))
    variables = {*FILES["config.yaml"]["data"], *FILES["secret.example.yaml"]["stringData"]} - {"PYTHONUNBUFFERED"}
    assert {name for name in variables if f'"{name}"' not in code} == set()
    named = {"TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "TWILIO_API_KEY", "TWILIO_API_SECRET", "VOICELOOP_STORE"}
    assert {*FILES["secret.example.yaml"]["stringData"]} == named
    sources = [{kind: ref["name"] for kind, ref in source.items()} for source in AGENT["envFrom"]]
    assert sources == [{"configMapRef": "agent"}, {"secretRef": "agent"}]
    assert "env" not in AGENT  # a secret in the manifest


def test_the_store_is_one_that_machines_share() -> None:
    assert OPTIONS.store is None  # with its password it is not for the command line
    assert place_of(FILES["secret.example.yaml"]["stringData"]["VOICELOOP_STORE"]).server


def test_what_is_written_has_a_place() -> None:
    mounted = {each["mountPath"] for each in AGENT["volumeMounts"]}
    assert AGENT["securityContext"]["readOnlyRootFilesystem"] is True
    assert Path(FILES["config.yaml"]["data"]["VOICELOOP_SPOOL"]).parent.as_posix() in mounted
    assert "/tmp" in mounted  # what workers share
    assert {each["name"] for each in AGENT["volumeMounts"]} == {each["name"] for each in POD["spec"]["volumes"]}


def test_nobody_is_root() -> None:
    dockerfile = (ROOT / "voiceloop" / "template" / "Dockerfile.template").read_text(encoding="utf-8")
    security = POD["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert f"--uid {security['runAsUser']} " in dockerfile
    assert security["fsGroup"] == security["runAsGroup"] == security["runAsUser"]
    assert FILES["namespace.yaml"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


# --- as many pods as calls need ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def density() -> dict[str, Any]:
    """The arithmetic of the page."""
    (text,) = (block.text for block in blocks(PAGE, "kubernetes.md") if block.file == "density.py")
    names: dict[str, Any] = {}
    exec(compile(text, "density.py", "exec"), names)
    return names


def test_pods_are_made_by_a_metric_that_there_is() -> None:
    (metric,) = FILES["autoscaler.yaml"]["spec"]["metrics"]
    (rule,) = FILES["prometheus-adapter.yaml"]["rules"]["custom"]
    name = metric["pods"]["metric"]["name"]
    registry = CollectorRegistry()
    Metrics(registry)
    assert name in {each.name for each in registry.collect()}
    assert rule["seriesQuery"].partition("{")[0] == rule["name"]["as"] == name
    assert re.fullmatch(rule["name"]["matches"], name)
    assert f"sum({name}{{" in PAGE  # KEDA's


def test_the_target_is_that_of_the_arithmetic(density: dict[str, Any]) -> None:
    (metric,) = FILES["autoscaler.yaml"]["spec"]["metrics"]
    target = int(metric["pods"]["target"]["averageValue"])
    assert density["CORES_PER_POD"] == OPTIONS.workers
    assert target == density["calls_per_pod"]()
    most = re.search(r"PhoneOptions\(most_calls=(\d+)\)", PAGE)
    assert most is not None
    assert target < OPTIONS.workers * int(most[1])
    assert f"more than {target} calls a pod" in PAGE
    assert f'threshold `"{target}"`' in PAGE


def test_pods_come_fast_and_go_slowly() -> None:
    up, down = (FILES["autoscaler.yaml"]["spec"]["behavior"][way] for way in ("scaleUp", "scaleDown"))
    assert up["stabilizationWindowSeconds"] == 0
    assert down["stabilizationWindowSeconds"] >= OPTIONS.drain
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    update = FILES["deployment.yaml"]["spec"]["strategy"]["rollingUpdate"]
    assert (update["maxUnavailable"], update["maxSurge"]) == (0, 1)
    assert FILES["disruption.yaml"]["spec"]["maxUnavailable"] == 1
    assert FILES["autoscaler.yaml"]["spec"]["minReplicas"] >= 2  # one may be lost


def test_the_table_of_costs_is_that_of_the_arithmetic(density: dict[str, Any]) -> None:
    rows = re.findall(r"^\| (\d+) \| \*p\* / (\d+) \| ([\d.]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [20, 100, density["CALLS_PER_CORE"]]
    for calls, divisor, cost, cores in rows:
        assert density["cost_per_call_hour"](int(divisor), int(calls)) == pytest.approx(1.0)
        assert float(cost) == pytest.approx(density["cost_per_call_hour"](0.04, int(calls)), abs=5e-6)
        assert int(cores) == math.ceil(1000 / (int(calls) * density["TARGET"]))
