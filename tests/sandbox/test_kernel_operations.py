"""Sessions that are started and cancelled by the API, through kagglesdk."""

import pytest

from .kernel_caller import SERVICE, KernelCaller, wait

SLOW = "import time\nprint('started', flush=True)\ntime.sleep(60)"
OPERATIONS = "common.OperationsService"


@pytest.fixture
def kernels(call):
    kernels = KernelCaller(call)
    kernels.push(SLOW, kernelExecutionType="QUICK_SAVE")
    return kernels


def create(kernels, **fields):
    answer = kernels.call("CreateKernelSession", service=SERVICE, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(kernels, name):
    return kernels.call("GetOperation", service=OPERATIONS, name=name).json()


def test_a_session_is_created_and_cancelled_by_kagglesdk(kaggle, kernels):
    code = f"""
import kagglesdk.kernels.types.kernels_api_service as types
from kagglesdk import KaggleClient
from kagglesdk.common.types.operations_service import GetOperationRequest
client = KaggleClient(username="{kernels.owner}", password="{kernels.call.box.key}")
create = types.ApiCreateKernelSessionRequest()
create.slug = "{kernels.owner}/my-kernel"
create.enable_internet = True
operation = client.kernels.kernels_api_client.create_kernel_session(create)
assert not operation.done, operation
cancel = types.ApiCancelKernelSessionRequest()
cancel.kernel_session_id = operation.metadata["kernelSessionId"]
answer = client.kernels.kernels_api_client.cancel_kernel_session(cancel)
assert not answer.error_message
get = GetOperationRequest()
get.name = operation.name
ended = client.common.operations_client.get_operation(get)
assert ended.done and "cancelled" in ended.error.message, ended
print("ended", client.kernels.kernels_api_client.cancel_kernel_session(cancel).error_message)
"""
    done = kaggle(code, module="python")
    assert "has ended" in done.stdout, done.stdout + done.stderr
    assert kernels("GetKernelSessionStatus")["status"] == "CANCEL_ACKNOWLEDGED"


def test_a_session_that_ends_by_itself(kernels):
    kernels.push("print('done')", kernelExecutionType="QUICK_SAVE")
    operation = create(kernels, slug="my-kernel", enableInternet=True)
    session = operation["metadata"]["kernelSessionId"]
    wait(lambda: state(kernels, operation["name"])["done"])
    ended = state(kernels, operation["name"])
    assert ended["response"] == {"kernelSessionId": session, "status": "COMPLETE"}
    log = kernels.call("GetKernelSessionLogsStream", service=SERVICE, kernelSessionId=session)
    assert log.json()[0]["data"] == "done\n"
    by_name = kernels.raw("GetKernelSessionLogsStream")
    assert by_name.json() == log.json()


def test_refusals(kernels):
    for slug in ("unknown-kernel", "somebody/my-kernel"):
        answer = kernels.call("CreateKernelSession", service=SERVICE, slug=slug)
        assert answer.status_code == 403
    shapes = [create(kernels, slug="my-kernel", machineShape="NvidiaTeslaT4") for _ in range(3)]
    assert [s["done"] for s in shapes] == [False, False, True]
    assert "Maximum batch GPU session count" in shapes[2]["error"]["message"]
    for name in ("", "operations/kernel-session-99", "operations/other-1"):
        assert kernels.call("GetOperation", service=OPERATIONS, name=name).status_code == 404
    missing = kernels.call("CancelKernelSession", service=SERVICE, kernelSessionId=99)
    assert missing.status_code == 404
