"""Lists, creates, boots, resizes and deletes by linode_api4, and shows its errors.

api4.py URL TOKEN: a line for each part that went well; the first that did not ends it with status 1.
"""

import sys
import time

from linode_api4 import ApiError, Instance, LinodeClient
from linode_api4.objects import Event, Volume

PASSWORD = "correct-horse-battery"


def eager(call):
    """A Linode that is busy is asked again: the library does not."""
    for _ in range(20):
        try:
            return call()
        except ApiError as error:
            if "Linode busy." not in str(error):
                raise
            time.sleep(0.05)
    raise AssertionError("busy for twenty times")


def until(what, look, seconds=60):
    """Looks until it is true."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def status(instance, wanted):
    def look():
        instance.invalidate()
        return instance.status == wanted

    until(f"{instance.label} to be {wanted}", look)


def lists(client):
    types = client.linode.types()
    assert len(types) == 10 and types[0].price.monthly == 5.0, list(types)
    assert any(region.id == "es-mad" for region in client.regions())
    assert client.images().first() is not None
    assert client.profile().username
    assert client.account().email


def instances(client):
    wanted = {"image": "linode/debian12", "root_pass": PASSWORD, "label": "api4-1", "tags": ["api4"]}
    instance = eager(lambda: client.linode.instance_create("g6-nanode-1", "es-mad", **wanted))
    status(instance, "running")
    assert len(instance.disks) == 2 and len(instance.configs) == 1
    assert instance.ips.ipv4.public[0].address == instance.ipv4[0]
    instance.label = "api4-one"
    assert instance.save()
    found = client.linode.instances(Instance.label == "api4-one")
    assert [i.id for i in found] == [instance.id]

    assert eager(instance.shutdown)
    status(instance, "offline")
    assert eager(lambda: instance.resize("g6-standard-1"))
    until("the resize", lambda: finished(client, instance, "linode_resize"))
    instance.invalidate()
    assert instance.type.id == "g6-standard-1" and instance.specs.memory == 2048
    assert eager(instance.boot)
    status(instance, "running")
    assert eager(instance.reboot)
    until("the reboot", lambda: finished(client, instance, "linode_reboot"))
    volumes(client, instance)
    number = instance.id
    assert instance.delete()
    until("the deletion", lambda: finished(client, instance, "linode_delete"))
    fails(404, "Not found", lambda: client.load(Instance, number).label)


def finished(client, instance, action):
    events = client.account.events(Event.action == action)
    return any(e.entity.id == instance.id and e.status == "finished" for e in events)


def volumes(client, instance):
    volume = client.volume_create("api4-data", region="es-mad", size=10)
    assert volume.attach(instance)
    until("the volume", lambda: client.load(Volume, volume.id).linode_id == instance.id)
    assert volume.detach()
    assert volume.delete()


def others(client):
    vpc = client.vpcs.create("api4-vpc", "es-mad")
    subnet = vpc.subnet_create("one", ipv4="10.9.0.0/24")
    assert subnet.delete() and vpc.delete()
    balancer = client.nodebalancer_create("es-mad", label="api4-front")
    config = balancer.config_create(port=443, protocol="tcp")
    node = config.node_create("one", "192.168.200.10:443")
    assert node.delete() and config.delete() and balancer.delete()
    rules = {"inbound": [], "inbound_policy": "DROP", "outbound": [], "outbound_policy": "ACCEPT"}
    firewall = client.networking.firewall_create("api4-edge", rules)
    firewall.update_rules({**rules, "inbound_policy": "ACCEPT"})
    assert firewall.delete()
    domain = client.domain_create("api4.example", soa_email="admin@api4.example")
    record = domain.record_create("A", name="www", target="192.0.2.7")
    assert record.delete() and domain.delete()
    key = client.object_storage.keys_create("api4")
    assert key.secret_key and key.delete()


def fails(status, text, call):
    try:
        call()
    except ApiError as error:
        assert error.status == status and text in str(error), str(error)
    else:
        raise AssertionError(f"no error: {text}")


def errors(client):
    fails(
        400,
        "region: region is not valid; type: A valid plan type",
        lambda: eager(lambda: client.linode.instance_create("huge", "nowhere")),
    )
    short = lambda: client.linode.instance_create("g6-nanode-1", "es-mad", label="x")
    fails(400, "label: Length must be 3-64", lambda: eager(short))
    fails(400, "Cannot filter on", lambda: list(client.regions(Instance.group == "x")))


def main():
    url, token = sys.argv[1:]
    client = LinodeClient(
        token, base_url=f"{url}/v4", retry_statuses=[500, 503], retry_rate_limit_interval=0.05, retry_max=20
    )
    for part in (lists, instances, others, errors):
        part(client)
        print("ok", part.__name__, flush=True)


main()
