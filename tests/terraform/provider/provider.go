package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// runningVariable names a JSON list of labels: the machines that are said to run.
const runningVariable = "ANDAMIO_TEST_RUNNING"

// provider plans; what a plan never calls is left to the embedded interface, which has nothing.
type provider struct {
	tfprotov6.ProviderServer
	config    *tfprotov6.Schema
	resources map[string]*tfprotov6.Schema
	data      map[string]*tfprotov6.Schema
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	out := &tfprotov6.GetMetadataResponse{}
	for name := range p.resources {
		out.Resources = append(out.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range p.data {
		out.DataSources = append(out.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{Provider: p.config, ResourceSchemas: p.resources, DataSourceSchemas: p.data}, nil
}

func (p *provider) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (p *provider) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

// PlanResourceChange plans what is configured; what the service would compute is unknown.
func (p *provider) PlanResourceChange(_ context.Context, r *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema, known := p.resources[r.TypeName]
	if !known {
		return nil, fmt.Errorf("no resource %s", r.TypeName)
	}
	kind := schema.ValueType()
	proposed, err := r.ProposedNewState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	if !proposed.IsNull() {
		values := map[string]tftypes.Value{}
		if err := proposed.As(&values); err != nil {
			return nil, err
		}
		for _, a := range schema.Block.Attributes {
			if a.Computed && values[a.Name].IsNull() {
				values[a.Name] = tftypes.NewValue(a.ValueType(), tftypes.UnknownValue)
			}
		}
		proposed = tftypes.NewValue(kind, values)
	}
	planned, err := tfprotov6.NewDynamicValue(kind, proposed)
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: &planned, UnsafeToUseLegacyTypeSystem: true}, err
}

// ReadDataSource answers linode_instances with the machines of the environment variable, whatever the
// filter asks for, and everything else with its own configuration.
func (p *provider) ReadDataSource(_ context.Context, r *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	schema, known := p.data[r.TypeName]
	if !known {
		return nil, fmt.Errorf("no data source %s", r.TypeName)
	}
	kind := schema.ValueType()
	config, err := r.Config.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	if r.TypeName == "linode_instances" {
		if config, err = withInstances(kind, config); err != nil {
			return nil, err
		}
	}
	state, err := tfprotov6.NewDynamicValue(kind, config)
	return &tfprotov6.ReadDataSourceResponse{State: &state}, err
}

func withInstances(kind tftypes.Type, config tftypes.Value) (tftypes.Value, error) {
	var labels []string
	if text := os.Getenv(runningVariable); text != "" {
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return config, err
		}
	}
	values := map[string]tftypes.Value{}
	if err := config.As(&values); err != nil {
		return config, err
	}
	list, ok := kind.(tftypes.Object).AttributeTypes["instances"].(tftypes.List)
	if !ok {
		return config, fmt.Errorf("instances is no list")
	}
	machine, ok := list.ElementType.(tftypes.Object)
	if !ok {
		return config, fmt.Errorf("an instance is no object")
	}
	machines := []tftypes.Value{}
	for _, label := range labels {
		attributes := map[string]tftypes.Value{}
		for name, of := range machine.AttributeTypes {
			attributes[name] = tftypes.NewValue(of, nil)
		}
		attributes["label"] = tftypes.NewValue(tftypes.String, label)
		machines = append(machines, tftypes.NewValue(machine, attributes))
	}
	values["instances"] = tftypes.NewValue(list, machines)
	return tftypes.NewValue(kind, values), nil
}
