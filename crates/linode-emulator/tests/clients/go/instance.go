package main

import "github.com/linode/linodego"

const password = "correct-horse-battery"

func (r *run) instance() {
	booted := true
	group := got(r.CreatePlacementGroup(r.ctx, linodego.PlacementGroupCreateOptions{
		Label: "spread", Region: region,
		PlacementGroupType:   linodego.PlacementGroupTypeAntiAffinityLocal,
		PlacementGroupPolicy: linodego.PlacementGroupPolicyStrict,
	}))("placement group")
	created := got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
		Region: region, Type: "g6-standard-1", Label: "web-1", Image: "linode/debian12", RootPass: password,
		Tags: []string{"provider"}, Booted: &booted, DiskEncryption: linodego.InstanceDiskEncryptionEnabled,
		Metadata: &linodego.InstanceMetadataOptions{UserData: "I2Nsb3VkLWNvbmZpZwo="},
	}))("create")
	expect(created.Status == linodego.InstanceProvisioning, "a new instance is %s", created.Status)
	expect(len(created.IPv4) == 1 && created.HasUserData, "addresses or user data are missing: %+v", created)
	id := created.ID
	r.status(id, linodego.InstanceRunning)
	r.refresh(id)

	// Update.
	tags, off := []string{"provider", "second"}, false
	changed := got(r.UpdateInstance(r.ctx, id, linodego.InstanceUpdateOptions{
		Label: "web-one", Tags: &tags, WatchdogEnabled: &off,
		Alerts: &linodego.InstanceAlert{CPU: 100, IO: 0, NetworkIn: 5, NetworkOut: 5, TransferQuota: 50},
	}))("update")
	expect(changed.Label == "web-one" && len(changed.Tags) == 2 && !changed.WatchdogEnabled, "update: %+v", changed)
	expect(changed.Alerts.CPU == 100 && changed.Alerts.IO == 0, "alerts: %+v", changed.Alerts)
	must(r.EnableInstanceBackups(r.ctx, id), "enable backups")
	expect(r.refresh(id).Backups.Enabled, "backups are not enabled")
	must(r.CancelInstanceBackups(r.ctx, id), "cancel backups")
	private := got(r.AddInstanceIPAddress(r.ctx, id, false))("private address")
	expect(!private.Public && len(r.refresh(id).IPv4) == 2, "private address: %+v", private)
	assigned := linodego.PlacementGroupAssignOptions{Linodes: []int{id}}
	got(r.AssignPlacementGroupLinodes(r.ctx, group.ID, assigned))("assign")
	expect(r.refresh(id).PlacementGroup.ID == group.ID, "it is in no placement group")
	left := got(r.UnassignPlacementGroupLinodes(r.ctx, group.ID, linodego.PlacementGroupUnAssignOptions{Linodes: []int{id}}))("unassign")
	expect(len(left.Members) == 0, "it has not left: %+v", left)
	must(r.DeletePlacementGroup(r.ctx, group.ID), "delete placement group")

	r.resize(id)

	// A new password: off, change, on.
	must(r.ShutdownInstance(r.ctx, id), "shut down")
	r.status(id, linodego.InstanceOffline)
	must(r.ResetInstancePassword(r.ctx, id, linodego.InstancePasswordResetOptions{RootPass: password + "2"}), "password")
	config := got(r.ListInstanceConfigs(r.ctx, id, nil))("configurations")[0]
	boot := r.poller(id, linodego.ActionLinodeBoot)
	must(r.BootInstance(r.ctx, id, config.ID), "boot")
	event := got(boot.WaitForFinished(r.ctx, patience))("boot")
	expect(int(event.SecondaryEntity.ID.(float64)) == config.ID, "the boot names no configuration: %+v", event)
	r.status(id, linodego.InstanceRunning)
	reboot := r.poller(id, linodego.ActionLinodeReboot)
	must(r.RebootInstance(r.ctx, id, config.ID), "reboot")
	r.finished(reboot, "reboot")
	r.status(id, linodego.InstanceRunning)

	// To another place.
	move := r.poller(id, linodego.ActionLinodeMigrateDatacenter)
	must(r.MigrateInstance(r.ctx, id, linodego.InstanceMigrateOptions{Region: "fr-par", Type: linodego.ColdMigration}), "migrate")
	r.finished(move, "migrate")
	expect(r.refresh(id).Region == "fr-par", "it has not moved")
	r.deleteInstance(id)
}

// A cold resize with the disk, as the provider does it: off, resize, still off, the disk is larger.
func (r *run) resize(id int) {
	before := got(r.ListInstanceDisks(r.ctx, id, nil))("disks")[0]
	must(r.ShutdownInstance(r.ctx, id), "shut down")
	r.status(id, linodego.InstanceOffline)
	yes, poller := true, r.poller(id, linodego.ActionLinodeResize)
	must(r.ResizeInstance(r.ctx, id, linodego.InstanceResizeOptions{
		Type: "g6-standard-2", MigrationType: linodego.ColdMigration, AllowAutoDiskResize: &yes,
	}), "resize")
	r.finished(poller, "resize")
	r.status(id, linodego.InstanceOffline)
	after := got(r.ListInstanceDisks(r.ctx, id, nil))("disks")[0]
	instance := r.refresh(id)
	expect(instance.Type == "g6-standard-2" && instance.Specs.VCPUs == 2, "type: %+v", instance)
	expect(after.Size == before.Size+30*1024, "the disk went from %d to %d", before.Size, after.Size)
	config := got(r.ListInstanceConfigs(r.ctx, id, nil))("configurations")[0]
	boot := r.poller(id, linodego.ActionLinodeBoot)
	must(r.BootInstance(r.ctx, id, config.ID), "boot")
	r.finished(boot, "boot")
	r.status(id, linodego.InstanceRunning)
}

func (r *run) instanceOfDisks() {
	off := false
	create := got(r.NewEventPollerWithoutEntity(linodego.EntityLinode, linodego.ActionLinodeCreate))("poller")
	instance := got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
		Region: region, Type: "g6-nanode-1", Label: "of-disks", Booted: &off,
	}))("create")
	id := instance.ID
	create.EntityID = id
	r.finished(create, "create")
	disks := map[string]int{}
	for _, disk := range []linodego.InstanceDiskCreateOptions{
		{Label: "boot", Size: 3000, Image: "linode/debian12", RootPass: password},
		{Label: "swap", Size: 512, Filesystem: "swap"},
	} {
		poller := r.poller(id, linodego.ActionDiskCreate)
		made := got(r.CreateInstanceDisk(r.ctx, id, disk))("disk " + disk.Label)
		r.finished(poller, "disk "+disk.Label)
		disks[disk.Label] = made.ID
	}
	root := "/dev/sda"
	config := got(r.CreateInstanceConfig(r.ctx, id, linodego.InstanceConfigCreateOptions{
		Label: "main", Kernel: "linode/grub2", RootDevice: &root,
		Devices: linodego.InstanceConfigDeviceMap{
			SDA: &linodego.InstanceConfigDevice{DiskID: disks["boot"]},
			SDB: &linodego.InstanceConfigDevice{DiskID: disks["swap"]},
		},
		Helpers: &linodego.InstanceConfigHelpers{Network: true},
	}))("configuration")
	expect(config.Devices.SDB.DiskID == disks["swap"] && !config.Helpers.Distro, "configuration: %+v", config)
	boot := r.poller(id, linodego.ActionLinodeBoot)
	must(r.BootInstance(r.ctx, id, config.ID), "boot")
	r.finished(boot, "boot")
	r.status(id, linodego.InstanceRunning)
	r.refresh(id)

	must(r.ShutdownInstance(r.ctx, id), "shut down")
	r.status(id, linodego.InstanceOffline)
	poller := r.poller(id, linodego.ActionDiskResize)
	must(r.ResizeInstanceDisk(r.ctx, id, disks["boot"], 4000), "resize disk")
	r.finished(poller, "resize disk")
	disk := got(r.WaitForInstanceDiskStatus(r.ctx, id, disks["boot"], linodego.DiskReady, patience))("disk")
	expect(disk.Size == 4000, "the disk has %d MB", disk.Size)
	updated := got(r.UpdateInstanceConfig(r.ctx, id, config.ID, linodego.InstanceConfigUpdateOptions{
		Label: "second", Comments: "changed", Devices: config.Devices,
	}))("update configuration")
	expect(updated.Label == "second" && updated.Comments == "changed", "configuration: %+v", updated)
	poller = r.poller(id, linodego.ActionDiskDelete)
	must(r.DeleteInstanceDisk(r.ctx, id, disks["swap"]), "delete disk")
	r.finished(poller, "delete disk")
	expect(len(got(r.ListInstanceDisks(r.ctx, id, nil))("disks")) == 1, "the disk is still there")
	must(r.DeleteInstanceConfig(r.ctx, id, config.ID), "delete configuration")
	r.deleteInstance(id)
}

func (r *run) instanceInVPC() {
	vpc := got(r.CreateVPC(r.ctx, linodego.VPCCreateOptions{Label: "inside", Region: region}))("vpc")
	subnet := got(r.CreateVPCSubnet(r.ctx, linodego.VPCSubnetCreateOptions{Label: "app", IPv4: "10.0.1.0/24"}, vpc.ID))("subnet")
	got(r.UpdateVPCSubnet(r.ctx, vpc.ID, subnet.ID, linodego.VPCSubnetUpdateOptions{Label: "apps"}))("update subnet")
	got(r.UpdateVPC(r.ctx, vpc.ID, linodego.VPCUpdateOptions{Label: "inside-2", Description: "for the test"}))("update vpc")
	any := "any"
	instance := got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
		Region: region, Type: "g6-nanode-1", Label: "in-vpc", Image: "linode/debian12", RootPass: password,
		InterfaceGeneration: linodego.GenerationLegacyConfig,
		Interfaces: []linodego.InstanceConfigInterfaceCreateOptions{
			{Purpose: linodego.InterfacePurposeVPC, Primary: true, SubnetID: &subnet.ID,
				IPv4: &linodego.VPCIPv4{VPC: "10.0.1.10", NAT1To1: &any}},
			{Purpose: linodego.InterfacePurposePublic},
		},
	}))("create")
	id := instance.ID
	r.status(id, linodego.InstanceRunning)
	r.refresh(id)
	config := got(r.ListInstanceConfigs(r.ctx, id, nil))("configurations")[0]
	inside := config.Interfaces[0]
	expect(inside.IPv4.VPC == "10.0.1.10" && *inside.IPv4.NAT1To1 == instance.IPv4[0].String(), "interface: %+v", inside.IPv4)
	expect(inside.Active && inside.Primary && *inside.VPCID == vpc.ID, "interface: %+v", inside)
	addresses := got(r.GetInstanceIPAddresses(r.ctx, id))("addresses")
	expect(*addresses.IPv4.VPC[0].Address == "10.0.1.10", "addresses: %+v", addresses.IPv4.VPC)
	expect(addresses.IPv4.Public[0].VPCNAT1To1.Address == "10.0.1.10", "addresses: %+v", addresses.IPv4.Public[0])
	shown := got(r.GetVPCSubnet(r.ctx, vpc.ID, subnet.ID))("subnet")
	expect(len(shown.Linodes) == 1 && shown.Linodes[0].ID == id, "subnet: %+v", shown)
	expect(r.DeleteVPCSubnet(r.ctx, vpc.ID, subnet.ID) != nil, "a subnet in use was deleted")

	// Interfaces of a VPC change while it is off.
	must(r.ShutdownInstance(r.ctx, id), "shut down")
	r.status(id, linodego.InstanceOffline)
	changed := got(r.UpdateInstanceConfig(r.ctx, id, config.ID, linodego.InstanceConfigUpdateOptions{
		Interfaces: []linodego.InstanceConfigInterfaceCreateOptions{
			{Purpose: linodego.InterfacePurposePublic, Primary: true},
			{Purpose: linodego.InterfacePurposeVPC, SubnetID: &subnet.ID},
		},
	}))("change interfaces")
	expect(changed.Interfaces[1].IPv4.VPC == "10.0.1.2", "the first free address is %+v", changed.Interfaces[1].IPv4)
	must(r.BootInstance(r.ctx, id, config.ID), "boot")
	r.status(id, linodego.InstanceRunning)
	r.deleteInstance(id)
	must(r.DeleteVPCSubnet(r.ctx, vpc.ID, subnet.ID), "delete subnet")
	must(r.DeleteVPC(r.ctx, vpc.ID), "delete vpc")
	_, err := r.GetVPC(r.ctx, vpc.ID)
	gone(err, "the vpc")
}
