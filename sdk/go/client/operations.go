package client

import (
	"context"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// One method for each operation. What they take and give, with limits and declines, is described in docs/operations.md.

// JWSSign makes the FSPIOP-Signature of a message that the FSP will send: send exactly the headers and the body of the response.
func (c *Client) JWSSign(ctx context.Context, fsp string, in *cpmv1.JwsSignRequest) (*cpmv1.JwsSignResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsSign{JwsSign: in}})
	return out.GetJwsSign(), err
}

// JWSVerify says whether a received message bears a right signature of the FSP.
func (c *Client) JWSVerify(ctx context.Context, fsp string, in *cpmv1.JwsVerifyRequest) (*cpmv1.JwsVerifyResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JwsVerify{JwsVerify: in}})
	return out.GetJwsVerify(), err
}

// JWEEncrypt encrypts fields of a body for the FSP, the recipient.
func (c *Client) JWEEncrypt(ctx context.Context, fsp string, in *cpmv1.JweEncryptRequest) (*cpmv1.JweEncryptResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JweEncrypt{JweEncrypt: in}})
	return out.GetJweEncrypt(), err
}

// JWEDecrypt decrypts the encrypted fields of a message the FSP has received.
func (c *Client) JWEDecrypt(ctx context.Context, fsp string, in *cpmv1.JweDecryptRequest) (*cpmv1.JweDecryptResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_JweDecrypt{JweDecrypt: in}})
	return out.GetJweDecrypt(), err
}

// MessageProtect encrypts what the policy of the FSP says and signs the message. It is not sent again when it may have been done.
func (c *Client) MessageProtect(ctx context.Context, fsp string, in *cpmv1.MessageProtectRequest) (*cpmv1.MessageProtectResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_MessageProtect{MessageProtect: in}})
	return out.GetMessageProtect(), err
}

// MessageOpen verifies a message the FSP has received and decrypts its fields. It is not sent again when it may have been done.
func (c *Client) MessageOpen(ctx context.Context, fsp string, in *cpmv1.MessageOpenRequest) (*cpmv1.MessageOpenResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_MessageOpen{MessageOpen: in}})
	return out.GetMessageOpen(), err
}

// ILPFulfil makes packet, condition and fulfilment of a transfer.
func (c *Client) ILPFulfil(ctx context.Context, fsp string, in *cpmv1.IlpFulfilRequest) (*cpmv1.IlpFulfilResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_IlpFulfil{IlpFulfil: in}})
	return out.GetIlpFulfil(), err
}

// ILPVerify says whether a fulfilment fits a condition.
func (c *Client) ILPVerify(ctx context.Context, fsp string, in *cpmv1.IlpVerifyRequest) (*cpmv1.IlpVerifyResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_IlpVerify{IlpVerify: in}})
	return out.GetIlpVerify(), err
}

// ILPDecode says what a packet contains and whether a transfer agrees with it.
func (c *Client) ILPDecode(ctx context.Context, fsp string, in *cpmv1.IlpDecodeRequest) (*cpmv1.IlpDecodeResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_IlpDecode{IlpDecode: in}})
	return out.GetIlpDecode(), err
}

// Sign signs data or a digest.
func (c *Client) Sign(ctx context.Context, fsp string, in *cpmv1.SignRequest) (*cpmv1.SignResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Sign{Sign: in}})
	return out.GetSign(), err
}

// Verify says whether a signature is right.
func (c *Client) Verify(ctx context.Context, fsp string, in *cpmv1.VerifyRequest) (*cpmv1.VerifyResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Verify{Verify: in}})
	return out.GetVerify(), err
}

// Encrypt encrypts and authenticates data.
func (c *Client) Encrypt(ctx context.Context, fsp string, in *cpmv1.EncryptRequest) (*cpmv1.EncryptResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Encrypt{Encrypt: in}})
	return out.GetEncrypt(), err
}

// Decrypt decrypts data.
func (c *Client) Decrypt(ctx context.Context, fsp string, in *cpmv1.DecryptRequest) (*cpmv1.DecryptResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Decrypt{Decrypt: in}})
	return out.GetDecrypt(), err
}

// Rewrap puts a ciphertext under the current version of its key.
func (c *Client) Rewrap(ctx context.Context, fsp string, in *cpmv1.RewrapRequest) (*cpmv1.RewrapResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Rewrap{Rewrap: in}})
	return out.GetRewrap(), err
}

// MAC makes a message authentication code.
func (c *Client) MAC(ctx context.Context, fsp string, in *cpmv1.MacRequest) (*cpmv1.MacResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Mac{Mac: in}})
	return out.GetMac(), err
}

// MACVerify says whether a message authentication code is right.
func (c *Client) MACVerify(ctx context.Context, fsp string, in *cpmv1.MacVerifyRequest) (*cpmv1.MacVerifyResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_MacVerify{MacVerify: in}})
	return out.GetMacVerify(), err
}

// Wrap wraps key material of the caller.
func (c *Client) Wrap(ctx context.Context, fsp string, in *cpmv1.WrapRequest) (*cpmv1.WrapResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Wrap{Wrap: in}})
	return out.GetWrap(), err
}

// Unwrap unwraps key material of the caller.
func (c *Client) Unwrap(ctx context.Context, fsp string, in *cpmv1.UnwrapRequest) (*cpmv1.UnwrapResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Unwrap{Unwrap: in}})
	return out.GetUnwrap(), err
}

// Datakey makes a new key for the caller, in clear and encrypted.
func (c *Client) Datakey(ctx context.Context, fsp string, in *cpmv1.DatakeyRequest) (*cpmv1.DatakeyResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Datakey{Datakey: in}})
	return out.GetDatakey(), err
}

// Digest hashes data.
func (c *Client) Digest(ctx context.Context, fsp string, in *cpmv1.DigestRequest) (*cpmv1.DigestResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Digest{Digest: in}})
	return out.GetDigest(), err
}

// Random gives random bytes.
func (c *Client) Random(ctx context.Context, fsp string, in *cpmv1.RandomRequest) (*cpmv1.RandomResponse, error) {
	out, err := c.Do(ctx, &cpmv1.ProcessRequest{Fsp: fsp, Operation: &cpmv1.ProcessRequest_Random{Random: in}})
	return out.GetRandom(), err
}
