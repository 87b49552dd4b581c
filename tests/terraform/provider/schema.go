package main

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type schemaFile struct {
	Providers map[string]struct {
		Config    schemaJSON            `json:"provider"`
		Resources map[string]schemaJSON `json:"resource_schemas"`
		Data      map[string]schemaJSON `json:"data_source_schemas"`
	} `json:"provider_schemas"`
}

type schemaJSON struct {
	Version int64     `json:"version"`
	Block   blockJSON `json:"block"`
}

type blockJSON struct {
	Attributes map[string]attributeJSON `json:"attributes"`
	Blocks     map[string]struct {
		Mode     string    `json:"nesting_mode"`
		Block    blockJSON `json:"block"`
		MinItems int64     `json:"min_items"`
		MaxItems int64     `json:"max_items"`
	} `json:"block_types"`
}

type attributeJSON struct {
	Type   json.RawMessage `json:"type"`
	Nested *struct {
		Attributes map[string]attributeJSON `json:"attributes"`
		Mode       string                   `json:"nesting_mode"`
	} `json:"nested_type"`
	Required  bool `json:"required"`
	Optional  bool `json:"optional"`
	Computed  bool `json:"computed"`
	Sensitive bool `json:"sensitive"`
	WriteOnly bool `json:"write_only"`
}

func (s schemaJSON) convert() (*tfprotov6.Schema, error) {
	block, err := s.Block.convert()
	return &tfprotov6.Schema{Version: s.Version, Block: block}, err
}

func (b blockJSON) convert() (*tfprotov6.SchemaBlock, error) {
	attributes, err := convertAttributes(b.Attributes)
	if err != nil {
		return nil, err
	}
	out := &tfprotov6.SchemaBlock{Attributes: attributes}
	for name, nested := range b.Blocks {
		mode, known := map[string]tfprotov6.SchemaNestedBlockNestingMode{
			"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
			"list":   tfprotov6.SchemaNestedBlockNestingModeList,
			"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
			"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
		}[nested.Mode]
		if !known {
			return nil, fmt.Errorf("%s: unknown nesting %q", name, nested.Mode)
		}
		block, err := nested.Block.convert()
		if err != nil {
			return nil, err
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name,
			Block:    block,
			Nesting:  mode,
			MinItems: nested.MinItems,
			MaxItems: nested.MaxItems,
		})
	}
	return out, nil
}

func convertAttributes(from map[string]attributeJSON) ([]*tfprotov6.SchemaAttribute, error) {
	var out []*tfprotov6.SchemaAttribute
	for name, a := range from {
		attribute := &tfprotov6.SchemaAttribute{
			Name:      name,
			Required:  a.Required,
			Optional:  a.Optional,
			Computed:  a.Computed,
			Sensitive: a.Sensitive,
			WriteOnly: a.WriteOnly,
		}
		if a.Nested == nil {
			kind, err := tftypes.ParseJSONType(a.Type)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			attribute.Type = kind
		} else {
			mode, known := map[string]tfprotov6.SchemaObjectNestingMode{
				"single": tfprotov6.SchemaObjectNestingModeSingle,
				"list":   tfprotov6.SchemaObjectNestingModeList,
				"set":    tfprotov6.SchemaObjectNestingModeSet,
				"map":    tfprotov6.SchemaObjectNestingModeMap,
			}[a.Nested.Mode]
			if !known {
				return nil, fmt.Errorf("%s: unknown nesting %q", name, a.Nested.Mode)
			}
			nested, err := convertAttributes(a.Nested.Attributes)
			if err != nil {
				return nil, err
			}
			attribute.NestedType = &tfprotov6.SchemaObject{Attributes: nested, Nesting: mode}
		}
		out = append(out, attribute)
	}
	return out, nil
}
