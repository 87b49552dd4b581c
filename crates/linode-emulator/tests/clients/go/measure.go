package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/linode/linodego"
)

const (
	instances = 10_000
	makers    = 16
	pageSize  = 100
)

// measure makes instances, half of which a filter takes, and reads every page of those.
func (r *run) measure() {
	begun := time.Now()
	off := false
	var group sync.WaitGroup
	for maker := range makers {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := maker; number < instances; number += makers {
				label := fmt.Sprintf("%s-%05d", []string{"web", "db"}[number%2], number)
				got(r.CreateInstance(r.ctx, linodego.InstanceCreateOptions{
					Region: region, Type: "g6-nanode-1", Label: label, Booted: &off,
				}))("create " + label)
			}
		}()
	}
	group.Wait()
	made := time.Since(begun)
	filter := `{"label": {"+contains": "web"}, "region": "es-mad", "+order_by": "label", "+order": "desc"}`
	var pages []float64
	seen := 0
	for page := 1; ; page++ {
		options := linodego.NewListOptions(page, filter)
		options.PageSize = pageSize
		begun := time.Now()
		list := got(r.ListInstances(r.ctx, options))("list")
		pages = append(pages, float64(time.Since(begun).Microseconds())/1000)
		seen += len(list)
		if page >= options.Pages {
			break
		}
	}
	expect(seen == instances/2, "the filter took %d of %d", seen, instances)
	sort.Float64s(pages)
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"instances": instances, "made_s": made.Seconds(), "pages": len(pages), "page_size": pageSize,
		"median_ms": pages[len(pages)/2], "slowest_ms": pages[len(pages)-1],
	}), "figures")
}
