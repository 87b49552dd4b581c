package main

import (
	"strings"

	"github.com/linode/linodego"
)

func (r *run) idle(label string) *linodego.Instance {
	off := false
	instance := got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
		Region: region, Type: "g6-nanode-1", Label: label, Image: "linode/debian12", RootPass: password, Booted: &off,
	}))("create " + label)
	r.status(instance.ID, linodego.InstanceOffline)
	return instance
}

func (r *run) firewall() {
	rules := linodego.FirewallRuleSet{
		InboundPolicy: "DROP", OutboundPolicy: "ACCEPT",
		Inbound: []linodego.FirewallRule{{
			Action: "ACCEPT", Label: "ssh-in", Protocol: linodego.TCP, Ports: "22,8000-8080",
			Addresses: linodego.NetworkAddresses{IPv4: &[]string{"0.0.0.0/0"}},
		}},
	}
	instance := r.idle("guarded")
	firewall := got(r.CreateFirewall(r.ctx, linodego.FirewallCreateOptions{
		Label: "edge", Rules: rules, Tags: []string{"provider"},
		Devices: linodego.DevicesCreationOptions{Linodes: []int{instance.ID}},
	}))("create")
	devices := got(r.ListFirewallDevices(r.ctx, firewall.ID, nil))("devices")
	expect(len(devices) == 1 && devices[0].Entity.ID == instance.ID, "devices: %+v", devices)
	read := got(r.GetFirewallRules(r.ctx, firewall.ID))("rules")
	expect(read.Inbound[0].Addresses.IPv6 == nil, "an unset list is not left out")
	rules.Inbound[0].Ports = "443"
	rules.Inbound[0].Addresses.IPv6 = &[]string{"::/0"}
	changed := got(r.UpdateFirewallRules(r.ctx, firewall.ID, rules))("update rules")
	expect(changed.Inbound[0].Ports == "443" && (*changed.Inbound[0].Addresses.IPv6)[0] == "::/0", "rules: %+v", changed)
	updated := got(r.UpdateFirewall(r.ctx, firewall.ID, linodego.FirewallUpdateOptions{
		Label: "edge-2", Status: linodego.FirewallDisabled,
	}))("update")
	expect(updated.Status == linodego.FirewallDisabled && len(updated.Entities) == 1, "firewall: %+v", updated)
	must(r.DeleteFirewallDevice(r.ctx, firewall.ID, devices[0].ID), "delete device")
	device := got(r.CreateFirewallDevice(r.ctx, firewall.ID, linodego.FirewallDeviceCreateOptions{
		ID: instance.ID, Type: linodego.FirewallDeviceLinode,
	}))("create device")
	got(r.GetFirewallDevice(r.ctx, firewall.ID, device.ID))("device")
	guards := got(r.ListInstanceFirewalls(r.ctx, instance.ID, nil))("firewalls of the instance")
	expect(len(guards) == 1 && guards[0].ID == firewall.ID, "firewalls: %+v", guards)
	r.deleteInstance(instance.ID)
	expect(len(got(r.ListFirewallDevices(r.ctx, firewall.ID, nil))("devices")) == 0, "a deleted instance is still guarded")
	must(r.DeleteFirewall(r.ctx, firewall.ID), "delete")
}

func (r *run) nodebalancer() {
	vpc := got(r.CreateVPC(r.ctx, linodego.VPCCreateOptions{
		Label: "behind", Region: region, Subnets: []linodego.VPCSubnetCreateOptions{{Label: "nodes", IPv4: "10.2.0.0/24"}},
	}))("vpc")
	subnet := vpc.Subnets[0]
	label, throttle := "front", 10
	balancer := got(r.CreateNodeBalancer(r.ctx, linodego.NodeBalancerCreateOptions{
		Label: &label, Region: region, ClientConnThrottle: &throttle, Tags: []string{"provider"},
		VPCs: []linodego.NodeBalancerVPCOptions{{SubnetID: subnet.ID}},
	}))("create")
	got(r.ListNodeBalancerFirewalls(r.ctx, balancer.ID, nil))("firewalls")
	vpcs := got(r.ListNodeBalancerVPCConfigs(r.ctx, balancer.ID, nil))("vpcs")
	expect(len(vpcs) == 1 && vpcs[0].SubnetID == subnet.ID, "vpcs: %+v", vpcs)
	config := got(r.CreateNodeBalancerConfig(r.ctx, balancer.ID, linodego.NodeBalancerConfigCreateOptions{
		Port: 80, Protocol: linodego.ProtocolHTTP, Check: linodego.CheckHTTP, CheckPath: "/healthz",
	}))("create port")
	expect(config.NodesStatus != nil, "nodes_status is null")
	config = got(r.UpdateNodeBalancerConfig(r.ctx, balancer.ID, config.ID, linodego.NodeBalancerConfigUpdateOptions{
		Port: 8080, Protocol: linodego.ProtocolTCP, ProxyProtocol: linodego.ProxyProtocolV2,
	}))("update port")
	expect(config.Port == 8080 && config.ProxyProtocol == linodego.ProxyProtocolV2, "port: %+v", config)
	node := got(r.CreateNodeBalancerNode(r.ctx, balancer.ID, config.ID, linodego.NodeBalancerNodeCreateOptions{
		Label: "one", Address: "10.2.0.8:80", SubnetID: subnet.ID, Weight: 50,
	}))("create node")
	got(r.GetNodeBalancerVPCConfig(r.ctx, balancer.ID, node.VPCConfigID))("vpc of the node")
	_, err := r.GetNodeBalancerVPCConfig(r.ctx, balancer.ID, 0)
	gone(err, "vpc 0")
	node = got(r.UpdateNodeBalancerNode(r.ctx, balancer.ID, config.ID, node.ID, linodego.NodeBalancerNodeUpdateOptions{
		Weight: 100, Mode: linodego.ModeDrain,
	}))("update node")
	expect(node.Weight == 100 && node.Mode == linodego.ModeDrain, "node: %+v", node)
	label = "front-2"
	got(r.UpdateNodeBalancer(r.ctx, balancer.ID, linodego.NodeBalancerUpdateOptions{Label: &label}))("update")
	read := got(r.GetNodeBalancer(r.ctx, balancer.ID))("read")
	expect(*read.Label == "front-2" && read.Transfer.In != nil, "nodebalancer: %+v", read)
	must(r.DeleteNodeBalancerNode(r.ctx, balancer.ID, config.ID, node.ID), "delete node")
	must(r.DeleteNodeBalancerConfig(r.ctx, balancer.ID, config.ID), "delete port")
	must(r.DeleteNodeBalancer(r.ctx, balancer.ID), "delete")
	must(r.DeleteVPCSubnet(r.ctx, vpc.ID, subnet.ID), "delete subnet")
	must(r.DeleteVPC(r.ctx, vpc.ID), "delete vpc")
}

func (r *run) volume() {
	instance := r.idle("with-volume")
	volume := got(r.CreateVolume(r.ctx, linodego.VolumeCreateOptions{
		Label: "data", Region: region, Size: 20, Encryption: "enabled", Tags: []string{"provider"},
	}))("create")
	got(r.WaitForVolumeStatus(r.ctx, volume.ID, linodego.VolumeActive, patience))("active")
	got(r.AttachVolume(r.ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: instance.ID}))("attach")
	got(r.WaitForVolumeLinodeID(r.ctx, volume.ID, &instance.ID, patience))("attached")
	must(r.ResizeVolume(r.ctx, volume.ID, 40), "resize")
	resized := got(r.WaitForVolumeStatus(r.ctx, volume.ID, linodego.VolumeActive, patience))("resized")
	expect(resized.Size == 40 && resized.LinodeLabel == "with-volume", "volume: %+v", resized)
	got(r.UpdateVolume(r.ctx, volume.ID, linodego.VolumeUpdateOptions{Label: "data-2"}))("update")
	must(r.DetachVolume(r.ctx, volume.ID), "detach")
	got(r.WaitForVolumeLinodeID(r.ctx, volume.ID, nil, patience))("detached")
	must(r.DetachVolume(r.ctx, volume.ID), "detach what hangs nowhere")
	must(r.DeleteVolume(r.ctx, volume.ID), "delete")
	_, err := r.GetVolume(r.ctx, volume.ID)
	gone(err, "the volume")
	r.deleteInstance(instance.ID)
}

func (r *run) placement() {
	group := got(r.CreatePlacementGroup(r.ctx, linodego.PlacementGroupCreateOptions{
		Label: "apart", Region: region,
		PlacementGroupType:   linodego.PlacementGroupTypeAntiAffinityLocal,
		PlacementGroupPolicy: linodego.PlacementGroupPolicyFlexible,
	}))("create")
	off := false
	instance := got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
		Region: region, Type: "g6-nanode-1", Label: "placed", Booted: &off,
		PlacementGroup: &linodego.InstanceCreatePlacementGroupOptions{ID: group.ID},
	}))("create in the group")
	r.status(instance.ID, linodego.InstanceOffline)
	got(r.UpdatePlacementGroup(r.ctx, group.ID, linodego.PlacementGroupUpdateOptions{Label: "apart-2"}))("update")
	expect(r.refresh(instance.ID).PlacementGroup.Label == "apart-2", "the instance shows the old label")
	expect(r.DeletePlacementGroup(r.ctx, group.ID) != nil, "a group with members was deleted")
	r.deleteInstance(instance.ID)
	read := got(r.GetPlacementGroup(r.ctx, group.ID))("read")
	expect(len(read.Members) == 0 && read.IsCompliant, "group: %+v", read)
	must(r.DeletePlacementGroup(r.ctx, group.ID), "delete")
}

func (r *run) domain() {
	domain := got(r.CreateDomain(r.ctx, linodego.DomainCreateOptions{
		Domain: "example.com", Type: linodego.DomainTypeMaster, SOAEmail: "admin@example.com", Tags: []string{"provider"},
	}))("create")
	record := got(r.CreateDomainRecord(r.ctx, domain.ID, linodego.DomainRecordCreateOptions{
		Type: linodego.RecordTypeA, Name: "www", Target: "192.0.2.1", TTLSec: 300,
	}))("create record")
	got(r.GetDomainRecord(r.ctx, domain.ID, record.ID))("record")
	record = got(r.UpdateDomainRecord(r.ctx, domain.ID, record.ID, linodego.DomainRecordUpdateOptions{Target: "192.0.2.2"}))("update record")
	expect(record.Target == "192.0.2.2" && record.TTLSec == 300, "record: %+v", record)
	got(r.UpdateDomain(r.ctx, domain.ID, linodego.DomainUpdateOptions{Description: "changed", Tags: []string{"provider"}}))("update")
	got(r.GetDomain(r.ctx, domain.ID))("read")
	must(r.DeleteDomainRecord(r.ctx, domain.ID, record.ID), "delete record")
	must(r.DeleteDomain(r.ctx, domain.ID), "delete")
}

func (r *run) objectStorage() {
	endpoints := got(r.ListObjectStorageEndpoints(r.ctx, nil))("endpoints")
	expect(len(endpoints) > 0 && endpoints[0].S3Endpoint != nil, "endpoints: %+v", endpoints)
	bucket := got(r.CreateObjectStorageBucket(r.ctx, linodego.ObjectStorageBucketCreateOptions{
		Region: "fr-par", Label: "terraform-state", ACL: linodego.ACLPrivate,
	}))("create bucket")
	expect(bucket.Hostname != "" && bucket.S3Endpoint != "", "bucket: %+v", bucket)
	got(r.GetObjectStorageBucket(r.ctx, "fr-par", bucket.Label))("bucket")
	cors := false
	must(r.UpdateObjectStorageBucketAccess(r.ctx, "fr-par", bucket.Label, linodego.ObjectStorageBucketUpdateAccessOptions{
		ACL: linodego.ACLPublicRead, CorsEnabled: &cors,
	}), "update access")
	access := got(r.GetObjectStorageBucketAccessV2(r.ctx, "fr-par", bucket.Label))("access")
	expect(access.ACL == linodego.ACLPublicRead && !*access.CorsEnabled, "access: %+v", access)
	key := got(r.CreateObjectStorageKey(r.ctx, linodego.ObjectStorageKeyCreateOptions{
		Label: "state", BucketAccess: &[]linodego.ObjectStorageKeyBucketAccess{
			{BucketName: bucket.Label, Region: "fr-par", Permissions: "read_write"},
		},
	}))("create key")
	expect(len(key.SecretKey) == 40 && key.Limited, "key: no secret, or not limited")
	read := got(r.GetObjectStorageKey(r.ctx, key.ID))("key")
	expect(read.SecretKey == "[REDACTED]" && read.AccessKey == key.AccessKey, "the secret is told twice")
	got(r.UpdateObjectStorageKey(r.ctx, key.ID, linodego.ObjectStorageKeyUpdateOptions{Label: "state-2"}))("update key")
	must(r.DeleteObjectStorageKey(r.ctx, key.ID), "delete key")
	must(r.DeleteObjectStorageBucket(r.ctx, "fr-par", bucket.Label), "delete bucket")
	_, err := r.GetObjectStorageBucket(r.ctx, "fr-par", bucket.Label)
	gone(err, "the bucket")
}

func (r *run) profile() {
	public := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvciB0aGUgdGVzdCBhbmQgbm90aGluZyBlbHNlIQ== test"
	key := got(r.CreateSSHKey(r.ctx, linodego.SSHKeyCreateOptions{Label: "laptop", SSHKey: public}))("create key")
	got(r.UpdateSSHKey(r.ctx, key.ID, linodego.SSHKeyUpdateOptions{Label: "laptop-2"}))("update key")
	expect(got(r.GetSSHKey(r.ctx, key.ID))("key").Label == "laptop-2", "the key has its old label")
	must(r.DeleteSSHKey(r.ctx, key.ID), "delete key")
	got(r.GetProfile(r.ctx))("profile")
	got(r.GetAccount(r.ctx))("account")
	got(r.GetAccountSettings(r.ctx))("settings")
	tags := got(r.ListTags(r.ctx, nil))("tags")
	expect(len(tags) == 2, "tags: %+v", tags)
	must(r.DeleteTag(r.ctx, "second"), "delete tag")
	filter := `{"action": "linode_delete", "entity.type": "linode", "+order_by": "created", "+order": "desc"}`
	events := got(r.ListEvents(r.ctx, &linodego.ListOptions{Filter: filter}))("events")
	expect(len(events) == 6 && events[0].ID > events[5].ID, "%d deletions", len(events))
}

func (r *run) errors() {
	_, err := r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{Region: "nowhere", Type: "huge", Image: "linode/nothing"})
	for _, part := range []string{"[400]", "[region] region is not valid", "[type]", "[image]"} {
		expect(err != nil && strings.Contains(err.Error(), part), "no %q in: %v", part, err)
	}
	_, err = r.CreateVPC(r.ctx, linodego.VPCCreateOptions{Label: "under_score", Region: region})
	expect(err != nil && strings.Contains(err.Error(), "[label]"), "label: %v", err)
	_, err = r.GetInstance(r.ctx, 1)
	gone(err, "an instance that never was")
}
