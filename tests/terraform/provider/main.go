// A provider that has the schema of linode/linode 3.13 and nothing behind it: `init`, `validate` and
// `plan` work without a network and find every wrong name and type. It has none of the official
// provider's validators and defaults, and it cannot apply.
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// As `terraform providers schema -json` prints it, without descriptions.
//
//go:embed schema-3.13.json.gz
var packed []byte

func main() {
	server, err := load(packed)
	if err != nil {
		log.Fatal(err)
	}
	serve := func() tfprotov6.ProviderServer { return server }
	if err := tf6server.Serve("linode/linode", serve); err != nil {
		log.Fatal(err)
	}
}

func load(packed []byte) (*provider, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var file schemaFile
	if err := json.NewDecoder(reader).Decode(&file); err != nil {
		return nil, err
	}
	p := &provider{
		resources: map[string]*tfprotov6.Schema{},
		data:      map[string]*tfprotov6.Schema{},
	}
	for _, s := range file.Providers {
		if p.config, err = s.Config.convert(); err != nil {
			return nil, err
		}
		if err := convertAll(s.Resources, p.resources); err != nil {
			return nil, err
		}
		if err := convertAll(s.Data, p.data); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func convertAll(from map[string]schemaJSON, to map[string]*tfprotov6.Schema) error {
	for name, s := range from {
		converted, err := s.convert()
		if err != nil {
			return err
		}
		to[name] = converted
	}
	return nil
}
