// The calls of Linode's Terraform provider 3.13, in its order and with its waiting, by linodego. One
// line for each sequence that went well; the first that did not ends the program with status 1.
//
//	clients URL TOKEN
//	clients URL TOKEN measure    makes 10,000 instances and times pages of them: one JSON document
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/linode/linodego"
)

// Seconds that anything may take.
const patience = 60

const region = "es-mad"

type run struct {
	linodego.Client
	ctx context.Context
}

func main() {
	if len(os.Args) != 3 && (len(os.Args) != 4 || os.Args[3] != "measure") {
		fmt.Fprintln(os.Stderr, "usage: clients URL TOKEN [measure]")
		os.Exit(2)
	}
	// linodego logs every retry.
	log.SetOutput(io.Discard)
	client := linodego.NewClient(nil)
	client.SetToken(os.Args[2])
	client.SetBaseURL(os.Args[1])
	client.SetAPIVersion("v4")
	client.SetPollDelay(20 * time.Millisecond)
	client.SetRetryWaitTime(20 * time.Millisecond)
	client.SetRetryMaxWaitTime(30 * time.Second)
	// The provider's own addition to what linodego retries.
	client.AddRetryCondition(func(response *resty.Response, _ error) bool {
		return response.StatusCode() == http.StatusInternalServerError && strings.HasSuffix(response.Request.URL, "/ips")
	})
	// A read whose answer never came may be asked again; a change may not.
	client.AddRetryCondition(func(response *resty.Response, err error) bool {
		return err != nil && response != nil && response.Request.Method == http.MethodGet
	})
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	r := &run{client, ctx}
	if len(os.Args) == 4 {
		r.measure()
		return
	}
	for _, sequence := range []struct {
		name string
		play func(*run)
	}{
		{"configure", (*run).configure},
		{"instance from an image", (*run).instance},
		{"instance of disks and configurations", (*run).instanceOfDisks},
		{"instance in a VPC", (*run).instanceInVPC},
		{"firewall", (*run).firewall},
		{"nodebalancer", (*run).nodebalancer},
		{"volume", (*run).volume},
		{"placement group", (*run).placement},
		{"domain", (*run).domain},
		{"object storage", (*run).objectStorage},
		{"profile, account, tags", (*run).profile},
		{"errors", (*run).errors},
	} {
		sequence.play(r)
		fmt.Println("ok", sequence.name)
	}
}

// must ends the program with what went wrong.
func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func got[T any](value T, err error) func(what string) T {
	return func(what string) T {
		must(err, what)
		return value
	}
}

func expect(true bool, format string, arguments ...any) {
	if !true {
		fail(format, arguments...)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

// gone is what a deleted thing answers.
func gone(err error, what string) {
	expect(linodego.IsNotFound(err), "%s is still there: %v", what, err)
}

// Every configure of the provider.
func (r *run) configure() {
	got(r.ListTypes(r.ctx, &linodego.ListOptions{PageOptions: &linodego.PageOptions{Page: 100}}))("types, page 100")
	small := got(r.GetType(r.ctx, "g6-nanode-1"))("type")
	expect(small.Price.Monthly == 5 && small.Addons.Backups.Price.Monthly == 2, "price of a nanode: %+v", small.Price)
	got(r.GetRegion(r.ctx, region))("region")
	image := got(r.GetImage(r.ctx, "linode/debian12"))("image")
	expect(image.ID == "linode/debian12", "image: %+v", image)
	images := got(r.ListImages(r.ctx, &linodego.ListOptions{Filter: `{"label": {"+contains": "debian"}}`}))("images")
	expect(len(images) == 3, "%d images of Debian", len(images))
}

// refresh is what the provider reads of an instance; what it follows without asking is never null.
func (r *run) refresh(id int) *linodego.Instance {
	instance := got(r.GetInstance(r.ctx, id))("instance")
	expect(instance.Alerts != nil && instance.Backups != nil && instance.Specs != nil, "null in %+v", instance)
	addresses := got(r.GetInstanceIPAddresses(r.ctx, id))("addresses")
	expect(addresses.IPv4 != nil && len(addresses.IPv4.Public) > 0, "no public address")
	got(r.ListInstanceDisks(r.ctx, id, nil))("disks")
	for _, config := range got(r.ListInstanceConfigs(r.ctx, id, nil))("configurations") {
		expect(config.Devices != nil && config.Helpers != nil, "null in %+v", config)
	}
	return instance
}

func (r *run) poller(id int, action linodego.EventAction) *linodego.EventPoller {
	return got(r.NewEventPoller(r.ctx, id, linodego.EntityLinode, action))(string(action))
}

func (r *run) finished(poller *linodego.EventPoller, what string) {
	got(poller.WaitForFinished(r.ctx, patience))(what + " has finished")
}

func (r *run) status(id int, status linodego.InstanceStatus) {
	got(r.WaitForInstanceStatus(r.ctx, id, status, patience))(string(status))
}

func (r *run) deleteInstance(id int) {
	poller := r.poller(id, linodego.ActionLinodeDelete)
	must(r.DeleteInstance(r.ctx, id), "delete")
	r.finished(poller, "delete")
	_, err := r.GetInstance(r.ctx, id)
	gone(err, "the instance")
}
