/** What is read of Kubernetes' objects; all of it may be missing. Source: kubernetes.io/docs/reference/kubernetes-api. */

export interface Meta {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly annotations?: Readonly<Record<string, string>> | null;
  readonly ownerReferences?: readonly Owner[] | null;
}

export interface Owner {
  readonly kind?: string;
  readonly name?: string;
  readonly controller?: boolean | null;
}

/** Anything that only owns something. */
export interface Resource {
  readonly metadata?: Meta;
}

export interface Node extends Resource {
  readonly spec?: { readonly providerID?: string };
  readonly status?: {
    readonly conditions?: readonly Condition[] | null;
    readonly addresses?: readonly { readonly type?: string; readonly address?: string }[] | null;
    readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port?: number } };
  };
}

export interface Condition {
  readonly type?: string;
  readonly status?: string;
}

export interface Pod extends Resource {
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly Container[] | null;
    readonly initContainers?: readonly Container[] | null;
  };
  readonly status?: {
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly phase?: string;
    readonly conditions?: readonly Condition[] | null;
    readonly containerStatuses?: readonly ContainerStatus[] | null;
    readonly initContainerStatuses?: readonly ContainerStatus[] | null;
  };
}

export interface Container {
  readonly name?: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[] | null;
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort?: number;
  readonly protocol?: string;
}

export interface ContainerStatus {
  readonly name?: string;
  readonly containerID?: string;
}

export interface Service extends Resource {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly loadBalancerIP?: string;
    readonly ipFamilyPolicy?: string | null;
    readonly ipFamilies?: readonly string[] | null;
    readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] | null } };
}

export interface Reference {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
}

export interface Endpoints extends Resource {
  readonly subsets?: readonly Subset[] | null;
}

export interface Subset {
  readonly addresses?: readonly EndpointAddress[] | null;
  readonly notReadyAddresses?: readonly EndpointAddress[] | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
}

export interface EndpointAddress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly nodeName?: string | null;
  readonly targetRef?: Reference | null;
}

export interface EndpointSlice extends Resource {
  readonly addressType?: string;
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly SlicePort[] | null;
}

export interface SlicePort {
  readonly name?: string | null;
  readonly port?: number | null;
  readonly protocol?: string | null;
  readonly appProtocol?: string | null;
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[] | null;
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  };
  readonly hostname?: string | null;
  readonly nodeName?: string | null;
  readonly zone?: string | null;
  readonly targetRef?: Reference | null;
  readonly deprecatedTopology?: Readonly<Record<string, string>> | null;
}

export interface Ingress extends Resource {
  readonly spec?: {
    readonly ingressClassName?: string | null;
    readonly tls?: readonly { readonly hosts?: readonly string[] | null }[] | null;
    readonly rules?:
      | readonly {
          readonly host?: string;
          readonly http?: { readonly paths?: readonly { readonly path?: string }[] | null } | null;
        }[]
      | null;
  };
}
