// Shapes of the API's requests and responses, as in `src/domain/wire/` and `src/domain/audit/`. Only the type check
// reads this file: it is neither built into the program nor served. Members that no page uses are left out.
//
// Times are in milliseconds since the Unix epoch.

export type TransferState = "pending" | "completed" | "expired" | "exhausted" | "deleted";
/** State of a link. */
export type LinkState = TransferState | "closed";
export type TokenState = "active" | "revoked" | "expired";
export type Flow = "presigned" | "bytes";

/** Error response. Other servers, such as proxies and stores, send none of these members. */
export interface Problem {
  code?: string;
  detail?: string;
  received_bytes?: number;
  /** Transfer of the link whose id was taken for that of a transfer. */
  transfer_id?: string;
}

/** One page of a list; `next` is the value of `after` for the next page. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

/** Page of a transfer's audit records. Those of reads before `reads_since` are removed. */
export interface RecordPage extends Page<AuditRecord> {
  reads_since?: number;
}

/** Data that the service stored about the client of a request. */
export interface Transparency {
  stored?: Disclosure[];
  not_stored?: Disclosure[];
  seen_by_others?: Disclosure[];
}

/** One statement of a transparency report. */
export interface Disclosure {
  code: string;
  text: string;
  /** Address of a target of notifications. */
  address?: string;
}

export interface HealthLimits {
  /** Maximum content size in bytes. */
  max_content_bytes: number;
  /** Limits of a transfer's lifetime in seconds. */
  expires_in_s: { min: number; default: number; max: number };
}

export interface Health {
  version: string;
  mode: { upload: "bytes" | "presigned"; download: "bytes" | "presigned" };
  limits: HealthLimits;
}

/** Options for the creation of a transfer, besides its size. */
export interface TransferOptions {
  expires_in_s: number;
  max_downloads?: number;
  access_sha256?: string;
  access_from_passphrase?: boolean;
  /** Absent means open. */
  own_link?: "open" | "closed";
}

/** A further link to create. */
export interface CreateLink {
  link_id: string;
  wrapped_key: string;
  access_sha256: string;
  access_from_passphrase: boolean;
  label: string;
  expires_in_s: number;
  max_downloads?: number;
}

/** A link of a transfer, as its sender sees it. */
export interface LinkItem {
  link_id: string;
  own: boolean;
  status: LinkState;
  expires_at: number;
  download_count: number;
  /** Null means unlimited. */
  max_downloads: number | null;
  last_download_at: number | null;
}

export interface CreatedTransfer {
  transfer_id: string;
  page_url: string;
  upload: UploadInstruction;
}

export type UploadInstruction = BytesInstruction | SingleInstruction | MultipartInstruction;

export interface BytesInstruction {
  kind: "bytes";
  url: string;
  fallback_url?: undefined;
}

export interface SingleInstruction extends UploadRequest {
  kind: "single";
  fallback_url?: string;
}

export interface MultipartInstruction {
  kind: "multipart";
  part_size_bytes: number;
  part_count: number;
  /** Requests for some of the parts. */
  parts: UploadPart[];
  fallback_url?: string;
}

/** Presigned request to the store. */
export interface UploadRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
}

export interface UploadPart extends UploadRequest {
  number: number;
}

/** A request, as its owner sees it. */
export interface RequestItem {
  token_id: string;
  status: TokenState;
  expires_at: number;
  /** Null means the limit of the owner's token. */
  max_transfers: number | null;
  transfers_created: number;
}

/** A request to create. */
export interface CreateRequest {
  secret_sha256: string;
  expires_in_s?: number;
  max_transfers?: number;
  max_total_bytes?: number;
}

export interface CreatedRequest extends RequestItem {
  page_url: string;
}

export interface RequestList {
  items: RequestItem[];
}

export interface UploadStatus {
  received_bytes: number;
  /** Received parts as inclusive ranges. */
  parts_received?: [first: number, last: number][];
}

/** Status of a link. Under a further link, the access proof is needed for more than the first members. */
export type LinkStatus = TransferStatus | RedactedStatus;

export interface RedactedStatus {
  transfer_id: string;
  status: LinkState;
  access_proof: true;
  size_bytes?: undefined;
}

export interface TransferStatus {
  transfer_id: string;
  status: LinkState;
  /** Encrypted size in bytes. */
  size_bytes: number;
  expires_at: number;
  download_count: number;
  /** Null means unlimited. */
  max_downloads: number | null;
  downloads_remaining: number | null;
  access_proof: boolean;
  /** Encrypted payload key of a ready transfer, for a further link. */
  wrapped_key?: string;
  /** Encrypted info block of a ready transfer. */
  info?: string;
  /** Encrypted signature of the sender. */
  signature?: string;
}

export interface CompletedTransfer extends TransferStatus {
  transparency: Transparency;
}

export interface DownloadAnswer {
  mode: Flow;
  url: string;
  fallback_url?: string;
  transparency: Transparency;
}

export type ClientEventKind =
  | "link_opened"
  | "download_started"
  | "download_completed"
  | "decrypt_succeeded"
  | "decrypt_failed";

export type EventKind =
  | "transfer_created"
  | "transfer_completed"
  | "download_granted"
  | "payload_removed"
  | "transfer_expired"
  | "transfer_exhausted"
  | "transfer_deleted"
  | "link_created"
  | "link_updated"
  | "link_revoked"
  | "link_expired"
  | "link_exhausted"
  | "audit_truncated"
  | ClientEventKind;

export interface ClientSummary {
  ip_mode: string;
  address?: string;
  epoch?: string;
  agent?: string;
}

interface RecordBase {
  id: string;
  request_id?: string;
  client_request_id?: string;
  at: number;
  code?: string;
}

export interface RequestRecord extends RecordBase {
  type: "request";
  method: string;
  route: string;
  token_id?: string;
  client: ClientSummary;
}

export interface ActionRecord extends RecordBase {
  type: "action";
  action: string;
  outcome: "done" | "refused" | "failed";
}

export interface EventRecord extends RecordBase {
  type: "event";
  kind: EventKind;
  /** Id of a further link. */
  link_id?: string;
  source: "server" | "client";
  client?: ClientSummary;
}

export type AuditRecord = RequestRecord | ActionRecord | EventRecord;

export interface Session {
  expires_at: number;
}

export interface CreateToken {
  name: string;
  expires_in_s?: number;
  max_transfers?: number;
  max_total_bytes?: number;
}

export interface TokenItem {
  token_id: string;
  name: string;
  /** Token of whose holder this token is a request; absent for a sender token. */
  owner?: string;
  status: TokenState;
  created_at: number;
  expires_at: number | null;
  max_transfers: number | null;
  max_total_bytes: number | null;
  transfers_created: number;
  bytes_held: number;
  last_used_at: number | null;
  /** Absent if the token has the defaults. */
  notifications?: { webhook?: { origin: string }; email?: string };
}

/** Changes of a token; `null` removes the expiry or the limit. */
export interface UpdateToken {
  name?: string;
  expires_in_s?: number | null;
  max_transfers?: number | null;
  max_total_bytes?: number | null;
}

/** A transfer in the list of all transfers. */
export interface TransferItem {
  transfer_id: string;
  token_id: string;
  status: TransferState;
  size_bytes: number;
  created_at: number;
  expires_at: number;
  ended_at: number | null;
  download_count: number;
  max_downloads: number | null;
  further_links: number;
}

/** Page of transfers; `is_partial` if not all of them were compared. */
export interface TransferPage extends Page<TransferItem> {
  is_partial?: boolean;
}

/** Result of the deletion of several transfers; `code` of those that were not deleted. */
export interface DeletedTransfers extends Page<{ transfer_id: string; code?: string }> {}

/** A created token; only this response contains its text. */
export interface CreatedToken extends TokenItem {
  token: string;
}

export interface DayOverview {
  /** UTC day as `yyyy-mm-dd`. */
  day: string;
  created: number;
  completed: number;
  downloads: number;
  bytes: number;
}

export interface StatsOverview {
  transfers: Record<TransferState, number>;
  tokens: Record<TokenState, number> & { is_partial?: boolean };
  bytes_stored: number;
  downloads: number;
  storage: StorageSpace;
  days: DayOverview[];
  as_of: number;
  untrusted_proxy?: string;
  failing_targets?: TargetOverview[];
}

/** Target of notifications with its deliveries. */
export interface TargetOverview {
  target_id: string;
  /** Absent for a target of all transfers. */
  token_id?: string;
  address: string;
  health: "ok" | "retrying" | "dead";
  failing_since?: number;
  reason?: string;
  delivered_at: number | null;
  delivered: number;
  dropped: number;
}

export interface StorageSpace {
  level: "ample" | "below_minimum" | "below_half_minimum" | "full";
  free_bytes?: number;
  total_bytes?: number;
  min_free_bytes?: number;
  reserve_bytes?: number;
  reserve_target_bytes?: number;
}
